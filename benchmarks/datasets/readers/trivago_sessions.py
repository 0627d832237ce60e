"""The log of the RecSys Challenge 2019 as Parquet: the steps of hotel searches, with all that was shown.

A click-out becomes one row for each hotel that was shown, the clicked one marked; every other step at a hotel
is a row of its own. Steps without a hotel (filters, sort orders, places) are left out.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.datasets.readers.rows import Opened, Raw, content

NAMES = {"user_id": "user_id", "session_id": "session_id", "timestamp": "time", "step": "order"}
NAMES |= {name: name for name in ("action_type", "reference", "platform", "city", "device")}
CLICK = "clickout item"


def read(files: Opened) -> Raw:
    """The raw tables."""
    steps = pq.read_table(pa.BufferReader(content(files, "trivago_val_100k.parquet")))
    steps = steps.filter(pc.match_substring_regex(steps["reference"], r"^\d+$"))
    kept = steps.select(list(NAMES)).rename_columns(list(NAMES.values()))
    shown = pc.equal(steps["action_type"], CLICK)
    impressions, listed = _impressions(kept.filter(shown), steps.filter(shown))
    # One who clicked on a hotel that was not in the list has clicked all the same.
    alone = kept.filter(pc.invert(shown)), kept.filter(shown).filter(pc.invert(listed))
    other = pa.concat_tables(alone).rename_columns({"reference": "item_id", "action_type": "action"})
    clicked = pc.equal(other["action"], CLICK).cast(pa.int64())
    other = other.append_column("click", clicked)
    return {"events": pa.concat_tables([impressions, other], promote_options="default")}


def _impressions(kept: pa.Table, steps: pa.Table) -> tuple[pa.Table, pa.Array]:
    """A row for each hotel shown, and whether each click-out's own hotel is among them."""
    shown = pc.split_pattern(steps["impressions"], "|").combine_chunks()
    sizes = pc.list_value_length(shown).to_numpy()
    parent = np.repeat(np.arange(len(sizes)), sizes)
    position = np.arange(len(parent)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    table = kept.take(parent)
    click = pc.equal(shown.flatten(), table["reference"])
    prices = pc.split_pattern(steps["prices"], "|").combine_chunks().flatten()
    step = [table[name].cast(pa.string()) for name in ("session_id", "time", "order")]
    more = {
        "item_id": shown.flatten(),
        "action": pa.repeat("impression", len(parent)),
        "request_id": pc.binary_join_element_wise(*step, "/"),
        "position": pa.array(position + 1, pa.int64()),
        "price": prices.cast(pa.int64()),
        "click": click.cast(pa.int64()),
    }
    found = np.bincount(parent, click.to_numpy(), minlength=len(sizes)) > 0
    base = table.drop_columns(["reference", "action_type"])
    return pa.table({name: base[name] for name in base.column_names} | more), pa.array(found)
