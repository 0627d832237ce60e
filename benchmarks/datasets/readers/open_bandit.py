"""The Open Bandit Dataset: `<policy>/<campaign>/<campaign>.csv` and `item_context.csv` beside it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.datasets.readers.rows import NUMBER, TEXT, WHOLE, Opened, Raw, content, table

POLICIES, CAMPAIGNS = ("random", "bts"), ("all", "men", "women")
EVENT = {"timestamp": TEXT, "item_id": TEXT, "position": WHOLE, "click": WHOLE, "propensity_score": NUMBER}
EVENT |= {f"user_feature_{number}": TEXT for number in range(4)}
ITEM = {"item_id": TEXT, "item_feature_0": NUMBER, **{f"item_feature_{number}": TEXT for number in (1, 2, 3)}}
AFFINITY = "user-item_affinity_"


def read(files: Opened) -> Raw:
    """The raw tables; an item's id says of which campaign it is, since each numbers its own."""
    events = [_events(files, policy, campaign) for policy in POLICIES for campaign in CAMPAIGNS]
    # Each policy's files hash the features of items in another way; those of the first stand for both.
    items = [_named(table(files, f"random/{name}/item_context.csv", ITEM), name) for name in CAMPAIGNS]
    return {"events": pa.concat_tables(events), "items": pa.concat_tables(items)}


def _events(files: Opened, policy: str, campaign: str) -> pa.Table:
    name = f"{policy}/{campaign}/{campaign}.csv"
    header = content(files, name).split(b"\n", 1)[0].decode().split(",")
    affinities = {column: NUMBER for column in header if column.startswith(AFFINITY)}
    wide = table(files, name, EVENT | affinities)
    every = np.column_stack([wide[column].to_numpy() for column in affinities])
    own = wide["item_id"].cast(WHOLE).to_numpy()
    time = pc.cast(wide["timestamp"], pa.timestamp("us", "UTC")).cast(WHOLE)
    second = pc.divide(time, 1_000_000)
    rows = {
        "time": second,
        "order": pc.subtract(time, pc.multiply(second, 1_000_000)),
        "policy": pa.repeat(policy, len(own)),
        "campaign": pa.repeat(campaign, len(own)),
        "propensity": wide["propensity_score"],
        "affinity": pa.array(every[np.arange(len(own)), own]),
    }
    kept = {column: wide[column] for column in EVENT if column not in ("timestamp", "propensity_score")}
    return _named(pa.table(kept | rows), campaign)


def _named(rows: pa.Table, campaign: str) -> pa.Table:
    names = pc.binary_join_element_wise(pa.scalar(campaign), rows["item_id"], "/")
    return rows.set_column(rows.column_names.index("item_id"), "item_id", names)
