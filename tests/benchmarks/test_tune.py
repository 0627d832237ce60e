"""`benchmarks.tune`: where scores add up over keys, it finds what a full search finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_suite import SUITE, change

from benchmarks import tune
from benchmarks.executor import Outcome, Setting
from benchmarks.intervals import Interval
from benchmarks.plan import Plan, RunSpec
from benchmarks.suite import resolve_suite
from zoo.core.errors import UserError
from zoo.core.yaml import load

SEARCH = """    params: {embed_dim: 16}
    search:
      params.embed_dim: [2, 8, 32]
      fit.lr: [1e-3, 1e-1]
      fit.batch_size: [64, 128]
"""
SETTING = Setting(Path("tiny.yaml"), None, "f", Path("runs"), 1)  # type: ignore[arg-type]


def error(config: dict) -> float:
    """Least at 8, 0.1 and 128, and the same whatever the order of keys."""
    fit = config["fit"]
    return abs(config["params"]["embed_dim"] - 8) + abs(fit["lr"] - 0.1) + abs(fit["batch_size"] - 128) / 9


@pytest.fixture
def searched(configs: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple]:
    change("suites/quick", "    params: {embed_dim: 16}\n", SEARCH)
    ran: list[RunSpec] = []

    def make(metric: str, value: Callable[[dict], float], status: Callable[[dict], str]) -> tuple:
        def execute(plan: Plan, setting: Setting) -> Iterator[Outcome]:
            for spec in plan.runs:
                ran.append(spec)
                metrics = {
                    "ndcg@10": Interval(value(spec.config)),
                    "logloss/like": Interval(value(spec.config)),
                }
                key = spec.key(setting.fingerprint)
                record = SimpleNamespace(record_id=key, status=status(spec.config), metrics=metrics)
                yield Outcome(spec, record, 1.0)  # type: ignore[arg-type]

        monkeypatch.setattr(tune, "execute", execute)
        searches = [s for item in load(SUITE).items("entries") if (s := tune.Search.of(item)).space]
        tuner = tune.Tuner(searches, lambda items: resolve_suite(SUITE, entries=items), SETTING, metric)
        list(tuner.run())
        return searches[0], ran, tuner

    return make


def well(config: dict) -> str:
    return "ok"


@pytest.mark.parametrize(
    ("metric", "value"), [("ndcg@10", lambda config: -error(config)), ("logloss/like", error)]
)
def test_it_finds_the_best_of_all_combinations(searched: Callable, metric: str, value: Callable) -> None:
    search, ran, tuner = searched(metric, value, well)
    grid = product([2, 8, 16, 32], [1e-3, 1e-2, 1e-1], [64, 128, 1024])
    best = min(error({"params": {"embed_dim": d}, "fit": {"lr": lr, "batch_size": b}}) for d, lr, b in grid)
    assert search.chosen == ["params.embed_dim=8", "fit.lr=0.1", "fit.batch_size=128"]
    assert search.score * tuner.sign == pytest.approx(value(ran[0].config) / error(ran[0].config) * best)
    assert search.trials == 1 + 3 + 2 + 2
    assert len(ran) == 2 * search.trials and len({spec.key("f") for spec in ran}) == len(ran)  # two seeds
    assert resolve_suite(SUITE, entries=[search.best.item]).runs[0].config["params"]["embed_dim"] == 8


def test_a_trial_that_fails_never_wins(searched: Callable) -> None:
    def status(config: dict) -> str:
        return "failed" if config["params"]["embed_dim"] == 8 else "ok"

    search, _, _ = searched("ndcg@10", lambda config: -error(config), status)
    assert search.chosen[0] == "params.embed_dim=2"
    search, _, _ = searched("ndcg@10", lambda config: -error(config), lambda _: "failed")
    assert (search.score, search.chosen) == (None, [])


def test_a_search_does_not_change_what_is_run(configs: Path) -> None:
    before = [(spec.entry, spec.key("f")) for spec in resolve_suite(SUITE).runs]
    change("suites/quick", "    params: {embed_dim: 16}\n", SEARCH)
    assert [(spec.entry, spec.key("f")) for spec in resolve_suite(SUITE).runs] == before


def test_mistakes_are_told_before_anything_runs(searched: Callable) -> None:
    with pytest.raises(UserError, match=r"ndcg@11.*did you mean 'ndcg@10'"):
        searched("ndcg@11", lambda _: 1.0, well)
    with pytest.raises(UserError, match="metric: found nothing to choose by"):
        searched("", lambda _: 1.0, well)
    change("suites/quick", "params.embed_dim: [2, 8, 32]", "params.embed_dim: [2, 0, nine]")
    change("suites/quick", "fit.lr:", "fit.rate:")
    with pytest.raises(UserError) as raised:
        searched("ndcg@10", lambda _: 1.0, well)
    text = str(raised.value)
    assert text.count("suites/quick.yaml:") == 3 and "found 0" in text and "nine" in text and "rate" in text
