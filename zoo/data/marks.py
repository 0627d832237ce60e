"""What the columns of a log say of every event: the behaviours it counts as, its numbers, its request."""

from __future__ import annotations

import warnings

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from zoo.core.errors import UserError
from zoo.data.expression import parse_expression
from zoo.data.roles import SchemaConfig


def tensor_of(column: pa.ChunkedArray) -> Tensor:
    """A column of numbers without nulls, over the same memory where Arrow has it in one piece."""
    values = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    with warnings.catch_warnings():  # Nobody writes to it.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(values.to_numpy(zero_copy_only=False))


def requests_of(table: pa.Table, exposed: bool) -> Tensor | None:
    """`(E,)` the first event of the request of each, None where every event is alone.

    Args:
        table: Events in the log's order; `request_id` tells what belongs together, null that nothing does.
        exposed: Whether the base is an exposure, so that without ids what a user saw at one time does.
    """
    index = torch.arange(table.num_rows)
    if "request_id" in table.column_names:
        ids = table["request_id"].combine_chunks().dictionary_encode()
        code = torch.from_numpy(ids.indices.fill_null(-1).to_numpy().astype(np.int64))
        pair = tensor_of(table["user"]).long() * (len(ids.dictionary) + 1) + code + 1
        key = pair.unique(return_inverse=True)[1]
        first = torch.full_like(index, table.num_rows).scatter_reduce(0, key, index, "amin")
        return torch.where(code < 0, index, first[key])
    if not exposed:
        return None
    parts = [table[name] for name in ("user", "split", "time") if name in table.column_names]
    changed = torch.stack([column[1:] != column[:-1] for column in map(tensor_of, parts)]).any(0)
    return torch.where(torch.nn.functional.pad(changed, (1, 0), value=True), index, 0).cummax(0).values


def flags_of(table: pa.Table, roles: SchemaConfig) -> dict[str, Tensor]:
    """`(E,)` bool by behaviour: whether a row of the events counts as it."""
    flags: dict[str, Tensor] = {}
    for name, behaviour in roles.behaviours.items():
        if not behaviour.where:
            flags[name] = torch.ones(table.num_rows, dtype=torch.bool)
            continue
        try:
            mask = parse_expression(behaviour.where).mask(table)
        except UserError as error:
            raise UserError(f"behaviours.{name}.where: {error}") from None
        flags[name] = torch.from_numpy(mask.to_numpy(zero_copy_only=False))
    return flags


def values_of(table: pa.Table, roles: SchemaConfig) -> dict[str, Tensor]:
    """`(E,)` float by explicit behaviour: its number, NaN where it has none, or is not what that is given."""
    flags = flags_of(table, roles)
    values: dict[str, Tensor] = {}
    for name, behaviour in roles.behaviours.items():
        if behaviour.kind == "explicit":
            try:
                found = parse_expression(behaviour.value).values(table)
            except UserError as error:
                raise UserError(f"behaviours.{name}.value: {error}") from None
            numbers = torch.from_numpy(found.to_numpy(zero_copy_only=False).copy()).float()
            defined = flags[name] & flags[behaviour.given or roles.base]
            values[name] = numbers.masked_fill(~defined, torch.nan)
    return values
