"""A small zoo of generated runs."""

import hashlib

import numpy as np
import pytest

from benchmarks.record import Interval, Record, write_record

USERS = 50
MACHINE = {
    **{"cpu": "Some CPU", "cores": 2, "threads": 1, "memory_gib": 7.5},
    **{"device": "cpu", "platform": "linux", "python": "3.11"},
}


def make_run(folder, entry, level, *, metric="recall@20", pooled=False, **changes):
    """Writes one run whose values are a user's own difficulty plus `level`; returns its folder."""
    fields = {"stage": entry.split("/")[0], "seed": 0, "created": "2026-11-24T05:00:00Z"} | changes
    record_id = hashlib.sha256(repr((entry, fields)).encode()).hexdigest()[:16]
    values = np.random.default_rng(9).random(200 if pooled else USERS) / 4 + level + fields["seed"] / 1000
    mean = float(values.mean())
    record = {
        **{"record_id": record_id, "status": "ok", "entry": entry, "model": entry, "dataset": "ml-100k"},
        **{"dataset_fingerprint": "0badcafe", "protocol": "global-time@1/test", "code_version": "abc1234"},
        "config": {"model": entry, "seed": fields["seed"], "note": "plain"},
        "command": f"python -m benchmarks run configs/{entry}.yaml seed={fields['seed']}",
        **{"machine": MACHINE, "libraries": {"torch": "2.13.0"}},
        "population": {"requests": USERS, "requests_with_target": USERS, "new_users": 3},
        "metrics": {metric: Interval(mean, mean, mean), "latency_ms/p50": Interval(1.25)},
    } | fields
    record["metrics"] = record["metrics"] | record.pop("more", {})
    arrays = {f"{'boot' if pooled else 'user'}/{metric}": values.astype(np.float32)}
    write_record(Record(**record), arrays if record["status"] == "ok" else {}, folder / record_id)
    return folder / record_id


@pytest.fixture
def runs(tmp_path):
    """Three recall entries of three seeds, two rankers, a funnel, and a run that failed."""
    folder = tmp_path / "runs"
    for seed in range(3):
        for entry, level in (("popular", 0.1), ("item_cf", 0.3), ("two_tower", 0.5)):
            make_run(folder, f"recall/{entry}", level, metric="ndcg@10", seed=seed)
    for entry, level in (("rank/lr", 0.5), ("rank/din", 0.6), ("prerank/cold", 0.55)):
        make_run(folder, entry, level, metric="auc/click", pooled=True)
    stages = {
        "survival/recall": 0.75,
        "survival/rank": 0.5,
        "latency_ms/rank/p50": 0.4,
        "latency_ms/rank/p99": 2.5,
    }
    more = {key: Interval(value) for key, value in (stages | {"unique_finds/item_cf": 31.0}).items()}
    make_run(folder, "funnels/ml-100k", 0.4, metric="ndcg@10", stage="funnel", model="funnel", more=more)
    make_run(folder, "recall/swing", 0.0, status="failed", error="UserError: no <column> 'time'", metrics={})
    return folder
