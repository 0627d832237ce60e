"""The scripts that measure the neighbourhood models, on little data, with a naive peer in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.speed import item_cf, online, shapes, swing, time_to_quality
from benchmarks.speed.options import Options

FEW = Options(rows=3000, repeats=1)


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few users and items, and our side in this process, so that it compiles once."""
    monkeypatch.setattr(shapes, "USERS", 90)
    monkeypatch.setattr(shapes, "ITEMS", 140)
    for module in (item_cf, swing):
        monkeypatch.setattr(module, "run_step", lambda model, folder, threads: item_cf.step(model, folder))


def naive_peer(peer: str, script: Path, folder: str, *numbers: str, threads: int) -> dict[str, float]:
    """Cosines by a matrix product, as the peer's script writes them."""
    assert peer == "implicit" and script.exists() and int(numbers[2]) == threads
    k, n, root = int(numbers[0]), int(numbers[1]), Path(folder)
    user, item = np.load(root / "user.npy"), np.load(root / "item.npy")
    likes = np.zeros((user.max() + 1, item.max() + 1))
    likes[user, item] = 1
    length = np.sqrt(np.maximum(likes.sum(0), 1))
    cosine = likes.T @ likes / np.outer(length, length)
    best = np.sort(np.argsort(-cosine, axis=1)[:, : k + 1], axis=1)
    similarity = np.take_along_axis(cosine, best, axis=1)
    kept = np.zeros_like(cosine)
    np.put_along_axis(kept, best, similarity, axis=1)
    scores = likes @ kept - 1e9 * likes
    np.save(root / "peer_offsets.npy", np.arange(len(best) + 1) * (k + 1))
    np.save(root / "peer_neighbours.npy", best.ravel())
    np.save(root / "peer_similarities.npy", similarity.ravel())
    np.save(root / "peer_lists.npy", np.argsort(-scores, axis=1)[:, :n])
    return {"fit": 2.0, "recommend": 3.0, "peak_gib": 1.0}


def test_both_sides_of_item_cf_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_cf, "run_peer", naive_peer)
    monkeypatch.setattr(item_cf, "N", 20)  # All users have so many unseen items.
    found = item_cf.measure(FEW)
    assert found["same_neighbours"] == 1.0 and float(found["same_lists"]) > 0.9
    assert found["peer"] == 5.0 and found["ours_peak_gib"] > 0
    assert found["ours"] == pytest.approx(float(found["ours_fit"]) + float(found["ours_recommend"]), abs=2e-3)


def test_swing_is_set_beside_item_cf_and_a_log_that_grows() -> None:
    found = swing.measure(FEW)
    rows = [int(key.removeprefix("us_per_event_")) for key in found if key.startswith("us_per_event")]
    assert rows == sorted(rows) and rows[-1] == found["rows"] == pytest.approx(3000, rel=0.1)
    assert found["times_item_cf"] == pytest.approx(1 / float(found["ratio"]), abs=0.01)


def test_ml1m_is_written_by_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = {"user": np.array([3, 0, 3, 1]), "item": np.array([7, 8, 9, 4])}
    log = type("Prepared", (), {"log": type("Log", (), {"events": events})})
    monkeypatch.setattr("benchmarks.datasets.prepare", lambda config: log)
    assert swing.save_ml1m(tmp_path) == 4
    assert np.load(tmp_path / "user.npy").tolist() == [0, 1, 3, 3]
    assert np.load(tmp_path / "item.npy").tolist() == [8, 4, 7, 9]


def test_events_come_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(online, "EVENTS", 20)
    monkeypatch.setattr(online, "WARM", 3)
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    turns = online.take_turns

    def checked(model: Any, histories: Any, users: Any, items: Any) -> Any:
        event, request = turns(model, histories, users, items)
        assert len(event) == len(request) == 20 and event.min() > 0 and request.min() > 0
        # All events are in: the model's likes are those of the whole log.
        model.state_dict()
        assert len(model.like_items) == len({(u, i) for u, h in enumerate(histories) for i in h})
        return event, request

    monkeypatch.setattr(online, "take_turns", checked)
    found = online.measure(FEW)
    for name in online.MODELS:
        for what in ("event", "event_and_request"):
            assert 0 < found[f"{name}/{what}_p50_ms"] <= found[f"{name}/{what}_p99_ms"]


def test_the_fastest_of_each_side_that_reaches_a_level_race(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = {"ease": {"seconds": 2.0, "recall": 0.28}, "ials": {"seconds": 0.5, "recall": 0.26}}
    theirs = {"implicit_als": [1.0, 5.0], "implicit_bpr": [1.5], "recbole_bpr": []}
    rules: dict[str, Any] = {}
    monkeypatch.setattr(time_to_quality, "run_ours", lambda dataset, name, threads: mine[name])
    monkeypatch.setattr(time_to_quality, "export", lambda dataset, folder, given: rules.update(given))
    monkeypatch.setattr(
        time_to_quality,
        "peer",
        lambda name, folder, threads: {"reached": theirs[name], "seconds": 6.0, "recall": 0.27},
    )
    found = time_to_quality.race("movielens1m_m1", 1)
    assert rules == {"limit": 3 * 2.0, "threads": 1}
    assert (found["at_0.25/ours"], found["at_0.25/peer"], found["at_0.25/ratio"]) == (
        "ials 0.500",
        "implicit_als 1.000",
        "2.00",
    )
    assert (found["at_0.265/ours"], found["at_0.265/ratio"]) == ("ease 2.000", "2.50")
    # No peer was there when it gave up after 6 seconds.
    assert (found["at_0.275/ours"], found["at_0.275/ratio"]) == ("ease 2.000", "above 3.00")
    mine["ease"]["recall"] = 0.27
    assert time_to_quality.race("movielens1m_m1", 1)["at_0.275/ratio"] == "none"
