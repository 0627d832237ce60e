"""What a dataset's schema may not say."""

from __future__ import annotations

import pytest

from zoo.data.roles import BehaviourConfig, FeatureConfig, SchemaConfig

WORD = FeatureConfig("categorical")


def test_the_first_behaviour_is_the_base() -> None:
    assert SchemaConfig().base == "watch"
    assert (
        SchemaConfig(behaviours={"click": BehaviourConfig(), "buy": BehaviourConfig("n", 1)}).base == "click"
    )


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"behaviours": {"like": BehaviourConfig("rating", 4)}},
            "behaviours must begin with one that counts every",
        ),
        ({"behaviours": {}}, "behaviours must begin with one that counts every"),
        ({"context": {"minute": WORD}}, "context must be of hour, weekday, found minute"),
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
    [({"kind": "numeric"}, "bins of a numeric"), ({"kind": "multi"}, "length of a multi")],
)
def test_numbers_need_bins_and_lists_a_length(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        FeatureConfig(**options)
