"""What a dataset's schema may not say."""

from __future__ import annotations

import pytest

from zoo.data.roles import BehaviourConfig, FeatureConfig, SchemaConfig
from zoo.data.windows import StatisticsConfig

WORD, NUMBER = FeatureConfig("categorical"), FeatureConfig("numeric", transform="log")


def test_the_first_behaviour_is_the_base() -> None:
    assert SchemaConfig().base == "watch"
    assert (
        SchemaConfig(behaviours={"click": BehaviourConfig(), "buy": BehaviourConfig("n >= 1")}).base
        == "click"
    )


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"behaviours": {"like": BehaviourConfig("rating >= 4")}},
            "behaviours must begin with one that counts every",
        ),
        ({"behaviours": {}}, "behaviours must begin with one that counts every"),
        (
            {"behaviours": {"watch": BehaviourConfig(), "like": BehaviourConfig("x > 1", given="wach")}},
            r"behaviours must be given one of them, found 'wach' \(did you mean 'watch'\?\)",
        ),
        (
            {
                "behaviours": {
                    "watch": BehaviourConfig(),
                    "a": BehaviourConfig("x > 1", given="b"),
                    "b": BehaviourConfig("x > 2", given="a"),
                }
            },
            "behaviours must not be given one another in a circle",
        ),
        (
            {"behaviours": {"gone": BehaviourConfig(kind="negative")}},
            "behaviours must begin with one that is positive or an exposure",
        ),
        ({"context": {"tags": FeatureConfig("multi", length=2)}}, "context must not be multi, found tags"),
        (
            {"user": {"kind": WORD}, "item": {"kind": WORD}},
            "item must not have names that others have, found kind",
        ),
        ({"item": {"user_id": WORD}}, "item must not have names that others have, found user_id"),
        (
            {"user": {"now": WORD}, "statistics": StatisticsConfig(["1d"])},
            "item must not have names that others have, found now",
        ),
        (
            {"item": {"genre": WORD, "price": NUMBER}, "statistics": StatisticsConfig(["1d"], ["genres"])},
            r"statistics cross must name an item feature with categories, found 'genres' \(did you mean",
        ),
        (
            {"item": {"price": NUMBER}, "statistics": StatisticsConfig(["1d"], ["price"])},
            "statistics cross must name an item feature with categories, found 'price'$",
        ),
        ({"event": {"tags": FeatureConfig("multi", length=2)}}, "event must not be multi, found tags"),
        (
            {"event": {"time": WORD}},
            "event features of the time are ages, so they must be numeric, found time",
        ),
        (
            {
                "behaviours": {"a": BehaviourConfig(), "a:b": BehaviourConfig("x > 1")},
                "event": {"b": WORD, "c": WORD},
            },
            "event must not make names that others have, found history:a:b$",
        ),
        (
            {"context": {"history:watch": WORD}, "event": {"b": WORD}},
            "event must not make names that others have, found history:watch$",
        ),
    ],
)
def test_a_broken_rule_names_its_field(parts: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        SchemaConfig(**parts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "numeric"}, "bins of a numeric"),
        ({"kind": "numeric", "bins": 5, "transform": "log"}, "bins of a numeric"),
        ({"kind": "numeric", "bins": 1}, "bins must be at least 2"),
        ({"kind": "multi"}, "length of a multi"),
        ({"kind": "categorical", "bins": 5}, "kind must be numeric"),
        ({"kind": "numeric", "bins": 5, "buckets": 9}, "buckets are for categorical"),
    ],
)
def test_a_feature_is_of_one_kind(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        FeatureConfig(**options)


@pytest.mark.parametrize(
    ("windows", "cross", "message"),
    [
        ([], [], "windows: expected at least one, such as 7d$"),
        (["1d", "3w"], [], "windows: expected a whole number from 1 to 99999 and a unit .*, found '3w'$"),
        (["1d", "7d", "24h"], [], "windows must differ, found 24h beside 1d$"),
        (["all", "all"], [], "windows must differ, found all beside all$"),
        (["1d"], ["a", "b", "a"], "cross must not name a feature twice, found a$"),
    ],
)
def test_windows_are_valid_and_differ(windows: list[str], cross: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        StatisticsConfig(windows, cross)


def test_an_event_feature_may_share_its_name_and_a_bin_is_a_category() -> None:
    schema = SchemaConfig(
        item={"year": FeatureConfig("numeric", bins=3)},
        context={"tab": WORD},
        event={"tab": WORD, "age": FeatureConfig("numeric", bins=3, of="time"), "ms": NUMBER},
        statistics=StatisticsConfig(["30d", "all"], ["year"]),
    )
    assert list(schema.happened) == ["event:tab", "event:ms"] and list(schema.ages) == ["event:age"]
    assert schema.statistics is not None and schema.statistics.finite == ["30d"]


def test_an_exposure_is_no_task_and_what_is_given_it_is_always_defined() -> None:
    schema = SchemaConfig(
        behaviours={
            "shown": BehaviourConfig(kind="exposure"),
            "click": BehaviourConfig("click == 1"),
            "like": BehaviourConfig("like == 1", given="click"),
            "seconds": BehaviourConfig(kind="explicit", value="ms / 1000", given="click"),
        }
    )
    assert (schema.base, schema.choice) == ("shown", "click")
    assert schema.tasks == {"click": "", "like": "click"}
    assert schema.histories == ["shown", "click", "like"]


def test_without_exposures_the_base_is_a_task_that_others_are_given() -> None:
    schema = SchemaConfig(behaviours={"watch": BehaviourConfig(), "like": BehaviourConfig("rating >= 4")})
    assert schema.choice == "watch" and schema.tasks == {"watch": "", "like": "watch"}


def test_an_expression_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match=r"^where 'rating => 4'"):
        BehaviourConfig("rating => 4")
