"""Self-supervision in a two-tower model."""

from __future__ import annotations

import pytest
import torch

from tests import tiny
from tests.conformance.setting import fit
from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.data.views import EventView
from zoo.layers.augment import mutual_information
from zoo.losses.contrastive import contrastive
from zoo.recall.two_tower import TwoTower
from zoo.training.self_supervision import SelfSupervision, SelfSupervisionConfig

SCHEMA, CATALOGUE = tiny.snapshot().schema, tiny.snapshot().catalogue


def fresh(**ssl: object) -> TwoTower:
    torch.manual_seed(0)
    model: TwoTower = create_model("recall/two_tower", SCHEMA, ssl=ssl, dropout=0.0)
    return model


def test_a_fit_attaches_the_catalogue_and_its_information_is_saved(tmp_path) -> None:
    model = fresh(batch_size=16)
    fit(model, EventView(tiny.snapshot()), batch_size=64)
    expected = mutual_information(CATALOGUE, SCHEMA.having("item_id", "item"))
    assert model.ssl is not None and model.ssl.information.equal(expected)
    model.save_pretrained(tmp_path)
    assert TwoTower.from_pretrained(tmp_path).ssl.information.equal(expected)


def test_its_loss_is_added_in_training_only() -> None:
    model, batch = (
        fresh(weight=0.7, transforms=["complement"]),
        EventView(tiny.snapshot()).batch(torch.arange(9)),
    )
    with pytest.raises(UserError, match="attach_catalogue"):
        model.train().loss(batch)
    model.attach_catalogue(CATALOGUE)
    plain = model.eval().loss(batch).item()
    model.log_q.eval()
    torch.manual_seed(5)
    total = model.train().loss(batch).item()
    torch.manual_seed(5)
    ids = torch.randint(1, tiny.ITEMS + 1, (512,))
    items = {f.name: CATALOGUE[f.name][ids] for f in SCHEMA.having("item_id", "item")}
    first, second = model.ssl.views(items)
    own = contrastive(model.encode_item(first), model.encode_item(second), ids, 0.1).item()
    # The estimate of frequencies has moved by a step, which all items share.
    assert total - plain == pytest.approx(0.7 * own, abs=0.02) and own > 1


def test_views_of_an_item_grow_alike() -> None:
    """After training, an item without its ID is nearer to itself than to others, which it is not without."""

    def nearest(model: TwoTower) -> float:
        without_id = CATALOGUE | {"item_id": torch.zeros_like(CATALOGUE["item_id"])}
        with torch.no_grad():
            whole, bare = (
                torch.nn.functional.normalize(model.eval().encode_item(items), dim=1)[1:]
                for items in (CATALOGUE, without_id)
            )
        cosine = bare @ whole.T
        return float(cosine.diag().mean() - cosine.mean())

    gains = []
    for options in ({"weight": 1e-6}, {"weight": 1.0}):
        model = fresh(transforms=["related"], batch_size=64, **options)
        fit(model, EventView(tiny.snapshot()), batch_size=64, max_epochs=5, lr=1e-2)
        gains.append(nearest(model))
    assert gains[1] > gains[0] + 0.1


def test_a_transform_without_anything_to_do_is_refused() -> None:
    lonely = SCHEMA.having("item_id")
    with pytest.raises(UserError, match="an item feature besides the ID"):
        SelfSupervision(lonely, SelfSupervisionConfig(transforms=["complement"]))
    with pytest.raises(UserError, match="multi-valued"):
        SelfSupervision(lonely, SelfSupervisionConfig(transforms=["dropout"]))
    with pytest.raises(UserError, match=r"'relatd'.*related"):
        fresh(transforms=["relatd"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weight", 0.0),
        ("transforms", []),
        ("transforms", ["related", "complement"]),
        ("batch_size", 1),
        ("temperature", 0.0),
        ("mask_rate", 1.0),
    ],
)
def test_a_senseless_option_names_itself(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{name} must "):
        SelfSupervisionConfig(**{name: value})
