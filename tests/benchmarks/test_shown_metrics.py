"""What is measured of rows that were shown against loops over requests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from tiny_shown import runner, spec, world

import zoo
from benchmarks.shown import population
from benchmarks.shown_metrics import Predicted, predicted


@pytest.fixture(scope="module", params=["rank/lr", "rank/dcn_v2", "prerank/three_tower"])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("runs")
    made = runner(folder, world())
    return made, request.param, folder, *made.run(spec(request.param), folder)


def test_what_is_measured_equals_a_loop_over_requests(ran) -> None:
    made, name, _, measured, _ = ran
    made_data = made.components.shown
    model = made.components.rank(spec(name).config, spec(name).config, 0)
    flat, ranks = [], []
    for n in range(len(made_data.test)):
        batch = made_data.test.batch(torch.tensor([n]))
        with torch.no_grad():
            logits = model(batch)["click"][0]
        labels, user = batch["label:click"][0], int(made_data.test.shown.requests.row[n])
        flat += [(user, float(x), int(y)) for x, y in zip(logits, labels, strict=True)]
        if len(labels) > 1 and labels.sum():
            order = np.argsort(-logits.numpy(), kind="stable")
            hit = labels.numpy()[order]
            ideal = sum(1 / np.log2(i + 2) for i in range(min(10, int(hit.sum()))))
            gains = sum(1 / np.log2(i + 2) for i, y in enumerate(hit[:10]) if y)
            ranks.append((1 / (1 + int(np.argmax(hit))), gains / ideal))
    user, score, label = map(np.array, zip(*flat, strict=True))
    found = {key: value.mean for key, value in measured.metrics.items()}
    assert found["auc/click"] == pytest.approx(roc_auc_score(label, score), abs=1e-5)
    mrr, ndcg = np.mean(ranks, axis=0)
    assert (found["mrr/click"], found["ndcg@10/click"]) == pytest.approx((mrr, ndcg), abs=1e-5)
    both = [u for u in set(user) if 0 < label[user == u].mean() < 1]
    areas = [roc_auc_score(label[user == u], score[user == u]) for u in both]
    sizes = [(user == u).sum() for u in both]
    assert found["gauc/click"] == pytest.approx(np.average(areas, weights=sizes), abs=1e-5)
    assert "auc/never" not in found and "pcoc/never" not in found and "logloss/never" in found
    assert measured.metrics["mrr/click"].lo < measured.metrics["mrr/click"].hi
    assert found["logloss/buy"] > 0 and all(np.isfinite(value) for value in found.values())


def test_a_model_with_a_position_serves_without_one(ran) -> None:
    _, _, folder, _, counted = ran
    loaded = zoo.load_model(folder / "model")
    assert len(loaded.recommend("u00", k=3)) <= 3
    assert len(loaded.score([{"user_id": "u01", "item_id": "i03"}])["click"]) == 1
    assert counted == population(world())


def test_no_metric_depends_on_how_many_rows_are_evaluated_at_once(
    ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, name, *_ = ran
    model, shown = made.components.rank(spec(name).config, spec(name).config, 0), made.components.shown
    found: list[Predicted] = []
    for chunk in (1, 10_000):
        monkeypatch.setattr("benchmarks.shown_metrics.CHUNK", chunk)
        found.append(predicted(model, shown, "click"))
    for part in ("logits", "ranked"):
        one, other = (getattr(x, part) for x in found)
        for key in one:
            torch.testing.assert_close(one[key], other[key], rtol=1e-5, atol=1e-6, equal_nan=True)


def test_watch_time_is_measured_where_it_is_defined_and_by_duration(tmp_path) -> None:
    asked = spec("rank/dcn_v2")
    params = {**asked.config["params"], "values": {"stay": "weighted_logistic"}, "duration": "size"}
    asked = replace(asked, config={**asked.config, "params": params})
    made = runner(tmp_path, world())
    found = {key: value.mean for key, value in made.run(asked, tmp_path)[0].metrics.items()}
    data, model = made.components.shown, made.components.rank(asked.config, asked.config, 0)
    rows: list[tuple[float, float, float]] = []
    for n in range(len(data.test)):
        batch = data.test.batch(torch.tensor([n]))
        expected, label = model.probabilities(batch)["stay"][0], batch["label:stay"][0]
        assert label.isnan().equal(batch["label:click"][0] == 0)
        triples = zip(expected.tolist(), label.tolist(), batch["size"][0].tolist(), strict=True)
        rows += [row for row in triples if not np.isnan(row[1])]
    error = np.array([abs(p - y) for p, y, _ in rows])
    size = np.array([z for *_, z in rows])
    assert found["stay/mae"] == pytest.approx(error.mean(), rel=1e-4)
    one, two = np.sort(size)[[len(size) // 3, 2 * len(size) // 3]]
    thirds = {"short": size <= one, "medium": (size > one) & (size <= two), "long": size > two}
    for title, where in thirds.items():
        assert found[f"stay/mae/{title}"] == pytest.approx(error[where].mean(), rel=1e-4)
    pairs = [((p < q) + (p == q) / 2) for p, y, _ in rows for q, z, _ in rows if y < z]
    assert found["stay/xauc"] == pytest.approx(np.mean(pairs), rel=1e-4)


def test_polarisation_is_the_mean_weight_of_the_top_expert(tmp_path: Path) -> None:
    made = runner(tmp_path, world())
    of = spec("rank/dcn_v2")
    of.config["params"]["head"] |= {"kind": "mmoe", "experts": 3}
    measured = made.run(of, tmp_path)[0]
    model, view = made.components.rank(of.config, of.config, 0), made.components.shown.test
    weights: dict[str, list[float]] = {}

    def note(name: str, out: torch.Tensor) -> None:
        weights.setdefault(name, []).extend(out.max(-1).values[0].tolist())

    for name, gate in model.heads.gates.items():
        gate.register_forward_hook(lambda _, __, out, name=name: note(name, out))
    with torch.no_grad():
        for n in range(len(view)):
            model(view.batch(torch.tensor([n])))
    assert list(weights) == ["click", "buy", "never"]
    for name, values in weights.items():
        assert measured.metrics[f"polarisation/{name}"].mean == pytest.approx(np.mean(values), abs=1e-5)


def test_a_position_tower_is_trained_in_a_run_and_served_without(tmp_path: Path) -> None:
    of = spec("rank/lr")
    of.config["params"]["position"] = {"feature": "position", "context": ["device"]}
    measured = runner(tmp_path, world()).run(of, tmp_path)[0]
    assert "auc/click" in measured.metrics
    loaded = zoo.load_model(tmp_path / "model")
    assert len(loaded.score([{"user_id": "u01", "item_id": "i03"}])["click"]) == 1
    assert loaded.model.position_tower is not None
