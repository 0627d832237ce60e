from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import torch
from tiny_world import CHANNELS, runner, spec, world

import zoo
from benchmarks import run as module
from tests import tiny
from zoo.core.errors import UserError
from zoo.data.log import Log


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory):
    return runner(tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("model", [*CHANNELS, "prerank/three_tower", "rank/lr", "rank/dcn_v2"])
def test_a_run_is_measured_and_what_it_saves_can_be_loaded(model, shared, tmp_path) -> None:
    measured, population = shared.run(spec(model), tmp_path)
    stage = model.split("/")[0]
    expected = {"recall@20", "ndcg@10", "coverage@20"} if stage == "recall" else {"auc/watch", "ece/like"}
    assert expected | {"train/seconds", "latency_ms/p99"} <= measured.metrics.keys()
    assert all(np.isfinite(value.mean) for value in measured.metrics.values())
    assert population["requests"] == len(shared.world.requests)
    assert len(zoo.load_model(tmp_path / "model").recommend("u0", k=5)) == 5


def test_targets_can_only_get_lost_on_the_way_through_a_funnel(shared, tmp_path) -> None:
    measured, _ = shared.run(spec("funnel"), tmp_path)
    alive = [measured.arrays[f"user/survival/{stage}"] for item in tiny.STAGES for stage in item]
    for before, after in pairwise(alive):
        assert (after <= before)[~np.isnan(before)].all()
    assert (measured.arrays["user/recall@5"] <= alive[-1])[~np.isnan(alive[-1])].all()
    assert zoo.load_funnel(tmp_path / "funnel").recommend("u0")
    unique = sum(measured.arrays[f"user/unique_finds/{name.split('/')[1]}"] for name in CHANNELS)
    assert (unique <= alive[1] + 1e-6)[~np.isnan(unique)].all()


def test_no_metric_depends_on_how_many_requests_are_evaluated_at_once(shared, tmp_path, monkeypatch) -> None:
    for model in ("recall/two_tower", "rank/dcn_v2", "funnel"):
        arrays = []
        for chunk in (3, 64):
            monkeypatch.setattr(module, "EVAL_CHUNK", chunk)
            arrays.append(shared.run(spec(model), tmp_path / f"{model}{chunk}")[0].arrays)
        assert arrays[0].keys() == arrays[1].keys()
        for name in arrays[0]:
            np.testing.assert_allclose(arrays[0][name], arrays[1][name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_the_same_seed_gives_the_same_metrics_and_another_seed_others(shared, tmp_path) -> None:
    first = shared.run(spec("recall/two_tower"), tmp_path / "a")[0].arrays
    fresh = runner(tmp_path / "elsewhere").run(spec("recall/two_tower"), tmp_path / "b")[0].arrays
    other = shared.run(spec("recall/two_tower", seed=1), tmp_path / "c")[0].arrays
    for name in first:
        np.testing.assert_array_equal(first[name], fresh[name])
    assert any(not np.array_equal(first[name], other[name], equal_nan=True) for name in first)


def test_candidates_are_unseen_labelled_right_and_half_of_the_negatives_are_uniform(shared) -> None:
    data, of = shared.components.candidates(spec("rank/lr").config, 0), shared.world
    events, watched = of.events, data.test.candidates["label:watch"]
    config = of.protocol.candidates
    for i in range(len(of.requests)):
        row, end, stop = (int(getattr(of.requests, name)[i]) for name in ("row", "end", "stop"))
        seen = set(events.item[events.offsets[row] : end].tolist())
        later = {int(x): j for j, x in zip(range(end, stop), events.item[end:stop], strict=True)}
        ids = data.test.candidates["item_id"][i].tolist()
        real = [x for x in ids if x]
        assert len(real) == len(set(real)) and not seen & set(real)
        assert set(later) - seen <= set(real)
        for place, item in enumerate(ids):
            if item:
                assert bool(watched[i, place]) == (item in later)
                liked = item in later and bool(events.flags["like"][later[item]])
                assert bool(data.test.candidates["label:like"][i, place]) == liked
        assert len(real) - len(set(later) - seen) <= config.from_recall + config.uniform


def test_training_candidates_do_not_change_when_the_future_does(shared, tmp_path) -> None:
    log, cut = tiny.log(), shared.world.snapshot().cut
    later = log.events["time"].to_numpy() >= cut
    assert 0 < later.sum() < len(later)
    user, item = (log.events[name].to_numpy() for name in ("user", "item"))
    items, ratings = log.items["item_id"].take(pa.array(item)).to_pylist(), log.events["rating"].to_numpy()
    # Everybody chooses something else from the cut on, and likes it.
    others = [
        f"i{(int(item[1:]) + 7) % tiny.ITEMS}" if late else item
        for item, late in zip(items, later, strict=True)
    ]
    events = pa.table(
        {
            "user_id": log.users["user_id"].take(pa.array(user)),
            "item_id": others,
            "time": log.events["time"],
            "rating": np.where(later, 5.0, ratings),
        }
    )
    changed = runner(tmp_path, world(Log.of(events, log.users, log.items)))
    a, b = (of.components.candidates(spec("rank/lr").config, 0) for of in (shared, changed))
    assert a.schema == b.schema and a.sha256() != b.sha256()
    for part in ("requests", "candidates"):
        before, after = getattr(a.train, part), getattr(b.train, part)
        assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_reranker_alone_is_refused(shared, tmp_path) -> None:
    with pytest.raises(UserError, match="rerank entry is measured in a funnel"):
        shared.run(spec("rerank/mmr"), tmp_path)
