"""One event into `recall/online_item_cf` and `recall/online_swing` at the size of ML-1M.

All but some events, drawn at random, are fitted; those come one by one. What an event costs is told alone,
and together with the next request of its user, who is served from what the event changed. The likes of ML-1M
are real (`ZOO_DATA`, or a download); with `--rows` they are generated, as many of them.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.speed.item_cf import batches
from benchmarks.speed.options import Options
from benchmarks.speed.shapes import save
from benchmarks.speed.swing import save_ml1m

if TYPE_CHECKING:
    from zoo.training import OnlineModel

MODELS = ("online_item_cf", "online_swing")
EVENTS, WARM = 2000, 50
"""Events measured, and those before them that are not, among them the ones that compile."""
K, HISTORY, NEIGHBOURS = 100, 200, 100


def measure(options: Options) -> dict[str, float | str]:
    """Milliseconds, by model, that half of the events take at most, and 99 % of them."""
    import torch

    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        save_ml1m(folder) if options.rows is None else save(folder, options.rows)
        user, item = (np.load(folder / f"{name}.npy").astype(np.int64) for name in ("user", "item"))
    item += 1  # Ids of models start at 1.
    last = np.random.default_rng(0).permutation(len(user))[: EVENTS + WARM]
    first = np.ones(len(user), bool)
    first[last] = False
    users, items = int(user[-1]) + 1, int(item.max())
    found: dict[str, float | str] = {"threads": options.threads, "rows": len(user), "events": EVENTS}
    for name in MODELS:
        edges = np.searchsorted(user[first], np.arange(users + 1))
        model = fitted(name, edges, item[first], items)
        histories = [part.tolist() for part in np.split(item[first], edges[1:-1])]
        event, request = take_turns(model, histories, user[last], item[last])
        for what, times in (("event", event), ("event_and_request", event + request)):
            for share in (50, 99):
                found[f"{name}/{what}_p{share}_ms"] = round(float(np.percentile(times, share)) * 1e3, 4)
    return found


def fitted(name: str, offsets: Any, item: Any, items: int) -> OnlineModel:
    """A model of histories: `(U + 1,)` offsets by user of the `(E,)` items, of which there are `items`."""
    import torch

    from zoo.core.registry import create_model
    from zoo.core.schema import Feature, Schema
    from zoo.core.types import Request

    history = Feature("history:watch", "history", "sequence", items + 1, of="watch")
    schema = Schema((history, Feature("item_id", "item_id", "categorical", items + 1)))
    options = {"neighbours": NEIGHBOURS, "history_length": HISTORY}
    model: OnlineModel = create_model(f"recall/{name}", schema, **options).eval()
    for batch in batches(offsets, item.astype(np.int32)):
        model.count(batch)
    model.finish()
    # The first event opens the model, and the first request for a row makes it: neither is every event's.
    model.update(0, int(item[0]))
    model.recall(Request({"history:watch": torch.arange(1, items + 1)[None]}), K)
    return model


def take_turns(model: OnlineModel, histories: Any, users: Any, items: Any) -> tuple[Any, Any]:
    """Seconds `(E,)` of each event and of the request that follows, those that warm up left out.

    Args:
        model: Fitted to the histories.
        histories: Items by user, oldest first; they grow.
        users: `(E,)` of the events.
        items: `(E,)`.
    """
    import torch

    from zoo.core.types import Request

    clock, times = time.perf_counter, []
    for user, item in zip(users.tolist(), items.tolist(), strict=True):
        histories[user].append(item)
        seen = torch.tensor(histories[user][::-1])[None]
        started = clock()
        model.update(user, item)
        updated = clock()
        model.recall(Request({"history:watch": seen[:, :HISTORY]}), K, seen)
        times.append((updated - started, clock() - updated))
    event, request = np.array(times[WARM:]).T
    return event, request
