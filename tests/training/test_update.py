"""Updates of a fitted two-tower model: what moves, what does not, and ids that come later."""

from __future__ import annotations

import copy
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from tests import tiny
from tests.conformance.setting import fit, prepared, request
from zoo.core.config import FitConfig
from zoo.core.errors import UserError
from zoo.core.registry import create_model
from zoo.data.encode import Encoder
from zoo.data.log import Log
from zoo.data.module import ViewData
from zoo.data.recent import since
from zoo.data.snapshot import Snapshot
from zoo.data.split import Events
from zoo.data.views import EventView
from zoo.recall.two_tower import TwoTower
from zoo.training import EmbeddingRetrieval
from zoo.training.grow import grown
from zoo.training.update import full_update, incremental_update, load_ids, save_ids

VIEW = EventView(tiny.snapshot())
FEW = since(VIEW, int(VIEW.requests.time.sort().values[-40]))
PARAMS = {"user_id": True, "half_life": 3.0, "ssl": {"batch_size": 16}}


@pytest.fixture(scope="module")
def fitted() -> TwoTower:
    torch.manual_seed(0)
    model: TwoTower = create_model("recall/two_tower", tiny.snapshot().schema, **PARAMS)
    fit(model, VIEW, batch_size=64, optimizer="adamw", weight_decay=0.1)
    return model.eval()


def test_the_newest_rows_come_in_the_order_of_time() -> None:
    times = VIEW.requests.time[FEW.rows]
    assert len(FEW) == 40 and (times.diff() >= 0).all()
    assert times.min() > VIEW.requests.time.sort().values[-41]
    batches = list(ViewData(FEW, 16, seed=None).train_dataloader())
    assert torch.cat([batch["item_id"] for batch in batches]).equal(VIEW.batch(FEW.rows)["item_id"])
    assert ViewData(FEW, 16).catalogue is tiny.snapshot().catalogue


def test_an_incremental_update_moves_the_ids_of_its_events_and_nothing_else(fitted: TwoTower) -> None:
    model = copy.deepcopy(fitted)
    incremental_update(model, ViewData(FEW, 8, seed=None), lr=1e-2)
    batch = FEW.batch(torch.arange(len(FEW)))
    used = {
        "table.weight": torch.cat([batch["item_id"], batch["history:watch"][:, :50].flatten()]).unique(),
        "user_features.tables.user_id.weight": batch["user_id"].unique(),
    }
    for name, weight in model.named_parameters():
        before = fitted.get_parameter(name)
        moved = (weight != before).reshape(len(weight), -1).any(1).nonzero().squeeze(1)
        assert moved.tolist() == [i for i in used.get(name, torch.zeros(0)).tolist() if i], name
        assert weight.requires_grad
    assert 0 < len(used["user_features.tables.user_id.weight"]) < tiny.USERS
    assert model.log_q.step == fitted.log_q.step + 5
    assert model.fit_config == fitted.fit_config and not model.training


def test_a_full_update_moves_everything_and_goes_on_from_where_it_was(fitted: TwoTower) -> None:
    model = copy.deepcopy(fitted)
    full_update(model, ViewData(FEW, 8, seed=0))
    for name, weight in model.named_parameters():
        assert not weight.equal(fitted.get_parameter(name)), name
    states = []
    options = vars(fitted.fit_config) | {"batch_size": 8}
    for update in (lambda m: full_update(m, ViewData(FEW, 8, seed=0)), lambda m: fit(m, FEW, **options)):
        torch.manual_seed(1)
        states.append(copy.deepcopy(fitted))
        update(states[-1])
    one, fit_further = (made.state_dict() for made in states)
    assert all(value.equal(fit_further[name]) for name, value in one.items())
    assert model.fit_config == fitted.fit_config


def test_an_update_is_published_as_the_ids_alone(fitted: TwoTower, tmp_path: Path) -> None:
    model = copy.deepcopy(fitted)
    incremental_update(model, ViewData(FEW, 8, seed=None))
    save_ids(model, tmp_path / "ids.safetensors")
    assert [file.name for file in tmp_path.iterdir()] == ["ids.safetensors"]
    served = copy.deepcopy(fitted)
    load_ids(served, tmp_path / "ids.safetensors")
    ids = torch.arange(1, tiny.ITEMS + 1).expand(len(request()), -1)
    assert prepared(served).score(request(), ids).equal(prepared(model).score(request(), ids))
    other = create_model("recall/two_tower", tiny.snapshot().schema)
    with pytest.raises(UserError, match="expected ID tables"):
        load_ids(other, tmp_path / "ids.safetensors")
    with pytest.raises(UserError, match=r"nothing\.safetensors: no ID tables"):
        load_ids(other, tmp_path / "nothing.safetensors")


def test_a_model_without_id_tables_is_refused() -> None:
    class Bare(EmbeddingRetrieval):
        registry_name = "recall/bare"

        def __init__(self) -> None:
            super().__init__(tiny.snapshot().schema, TwoTower.Config())

        encode_user = encode_item = lambda self, batch: batch["item_id"]

    with pytest.raises(UserError, match="recall/bare: has no ID embeddings"):
        incremental_update(Bare(), ViewData(FEW, 8, None))


def without(log: Log, items: set[str], users: set[str]) -> Log:
    """The log before some users and items had come."""
    names = log.users["user_id"].to_pylist(), log.items["item_id"].to_pylist()
    user, item = (log.events[name].to_numpy() for name in ("user", "item"))
    rows = [i for i in range(len(user)) if names[0][user[i]] not in users and names[1][item[i]] not in items]
    events = log.events.take(rows)
    columns = {"user_id": [names[0][u] for u in user[rows]], "item_id": [names[1][i] for i in item[rows]]}
    columns |= {name: events[name] for name in ("time", "rating")}
    some_users = log.users.filter(pa.array([name not in users for name in names[0]]))
    return Log.of(
        pa.table(columns), some_users, log.items.filter(pa.array([n not in items for n in names[1]]))
    )


def at_end(log: Log, encoder: Encoder | None = None) -> Snapshot:
    events = Events.of(log, tiny.ROLES)
    known = (events.offsets[1:] > events.offsets[:-1]).nonzero().squeeze(1)
    encoder = encoder.refitted(log, known) if encoder else Encoder.fit(log, tiny.ROLES, known)
    return Snapshot.at(log, events, encoder, int(events.time.max()) + 1, history_length=20)


def test_a_grown_model_says_the_same_of_whom_it_knew() -> None:
    """Ids are in the order of names, so that new ones come in between and shift the others."""
    late = {"i0", "i17", "i33"}, {"u1", "u25"}
    before, after = at_end(without(tiny.log(), *late)), None
    model: TwoTower = create_model("recall/two_tower", before.schema, **PARAMS)
    fit(model, EventView(before), batch_size=64)
    model.eval().prepare(before.catalogue)
    after = at_end(tiny.log(), before.encoder)
    rows = after.encoder.rows_from(before.encoder)
    assert int((rows["item_id"] == 0).sum()) == 1 + 3 and int((rows["user_id"] == 0).sum()) == 1 + 2
    bigger = grown(model, after.schema, rows)
    bigger.prepare(after.catalogue)
    for new, raw in enumerate(after.encoder.items, start=1):
        if raw not in late[0]:
            old = 1 + before.encoder.items.index(raw)
            assert rows["item_id"][new] == old
            assert torch.allclose(bigger.vectors[new], model.vectors[old], atol=1e-6)
            assert bigger.log_q.log_probability(torch.tensor([new])).equal(
                model.log_q.log_probability(torch.tensor([old]))
            )
    incremental_update(bigger, ViewData(EventView(after), 64, seed=None))
    assert bigger.table.weight.shape[0] == tiny.ITEMS + 1


def test_what_does_not_fit_is_told(fitted: TwoTower) -> None:
    schema = tiny.snapshot().schema
    small = at_end(without(tiny.log(), {"i0"}, set()))
    with pytest.raises(UserError, match="'item_id' had 61 ids and has 60: rows do not say"):
        grown(fitted, small.schema, {})
    with pytest.raises(UserError, match="rows of 'item_id': expected 61 ids below 61, found 3 up to 2"):
        grown(fitted, schema, {"item_id": torch.arange(3)})
    same = grown(fitted, schema, {})
    assert all(value.equal(fitted.state_dict()[name]) for name, value in same.state_dict().items())
    assert same.fit_config == FitConfig(batch_size=64, optimizer="adamw", weight_decay=0.1)
