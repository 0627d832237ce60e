"""Features of the events of a history: encoded once for each event, and ages as of a request."""

from __future__ import annotations

import pyarrow as pa
import torch
from torch import Tensor

from zoo.core.types import Batch
from zoo.data.encode import Encoder, name_of
from zoo.data.log import Log
from zoo.data.values import column_of


def happened(encoder: Encoder, log: Log) -> Batch:
    """`(E + 1,)` features of every event, with 0 in front for padding, and the `time` that ages need."""
    roles = encoder.roles
    batch = {
        name: encoder.encode(name, config, column_of(log.events, name, config))
        for name, config in roles.happened.items()
    }
    batch |= {"time": torch.from_numpy(log.events["time"].to_numpy())} if roles.ages else {}
    return {name: torch.cat([torch.zeros_like(x[:1]), x]) for name, x in batch.items()}


def aged(encoder: Encoder, batch: Batch, now: Tensor) -> Batch:
    """The batch with ages of events in place of their times, 0 where either time is not known.

    Args:
        encoder: Of the ages.
        batch: With `time:<behaviour>` `(N, L)`, 0 where there is no event.
        now: `(N,)` seconds since 1970 UTC.
    """
    batch, ages = dict(batch), encoder.roles.ages
    for behaviour in encoder.roles.histories if ages else ():
        time = batch.pop(f"time:{behaviour}")
        seconds = pa.array((now[:, None] - time).clamp(min=0).flatten().numpy())
        unknown = (time <= 0) | (now <= 0)[:, None]
        for name, config in ages.items():
            age = encoder.encode(name, config, seconds).view_as(time)
            batch[name_of(name, behaviour)] = age.masked_fill(unknown, 0)
    return batch
