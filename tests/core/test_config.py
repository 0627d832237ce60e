import dataclasses

import pytest

from zoo.core.config import FitConfig, ModelConfig, demand


def test_the_defaults_are_legal_and_frozen() -> None:
    config = FitConfig()
    assert (config.max_epochs, config.batch_size, config.lr, config.optimizer) == (1, 1024, 1e-3, "adam")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.lr = 1.0  # type: ignore[misc]
    assert ModelConfig() == ModelConfig()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_epochs", 0),
        ("batch_size", 0),
        ("lr", 0.0),
        ("lr", -1.0),
        ("weight_decay", -0.1),
        ("grad_clip", 0.0),
    ],
)
def test_a_value_out_of_range_names_its_field(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{field} must .*, found {value}$"):
        FitConfig(**{field: value})


def test_a_learning_rate_that_diverges_is_legal() -> None:
    assert FitConfig(lr=1e9).lr == 1e9


def test_demand_tells_every_broken_rule() -> None:
    with pytest.raises(ValueError, match=r"^a must …\nc must …$"):
        demand((False, "a must …"), (True, "b must …"), (False, "c must …"))
    demand((True, "never told"))
