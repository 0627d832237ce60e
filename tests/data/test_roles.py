"""What a dataset's schema may not say."""

from __future__ import annotations

import pytest

from zoo.data.roles import BehaviourConfig, FeatureConfig, SchemaConfig

WORD = FeatureConfig("categorical")


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
