"""What the sampled values of a column look like: numbers, times, several values in a cell, ids."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.datasets.reading.columns import (
    JSON,
    NULLS,
    WrongType,
    decoded,
    is_list,
    to_lists,
    to_number,
    to_text,
)
from benchmarks.datasets.reading.times import to_times
from benchmarks.datasets.table_config import UNITS

FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%Y%m%d%H%M%S",
    "%Y%m%d",
    "%b %d, %Y",
    "%a %b %d %H:%M:%S %z %Y",
)
"""Of strptime, those that are tried."""

SINCE, UNTIL = 788_918_400, 2_051_222_400
"""1995 and 2035: numbers between them are taken for times."""

_TRIED = 2000


@dataclass(frozen=True)
class Profile:
    """A column.

    Attributes:
        cells: The sampled values as the file has them.
    """

    name: str
    cells: pa.Array

    @cached_property
    def texts(self) -> pa.StringArray:
        """The values as text without empty ones; none where a cell is a list or an object."""
        if self.is_nested:
            return pa.array([], pa.string())
        return pc.drop_null(decoded(to_text(self.cells, NULLS).values))

    @property
    def words(self) -> list[str]:
        """The words for no value that are there, such as NA."""
        if self.is_nested:
            return []
        there = pc.unique(decoded(to_text(self.cells).values)).to_pylist()
        return sorted({*NULLS} & {*there})

    @property
    def is_nested(self) -> bool:
        """Whether the file itself holds lists or objects."""
        return bool(pa.types.is_nested(self.cells.type))

    @property
    def count(self) -> int:
        """The cells that are not empty."""
        return len(self.cells) - self.cells.null_count if self.is_nested else len(self.texts)

    @property
    def missing(self) -> float:
        """The share of empty cells."""
        return 1 - self.count / max(len(self.cells), 1)

    @cached_property
    def counts(self) -> Counter[str]:
        """The values and how often they are there."""
        found = pc.value_counts(self.texts)
        return Counter(
            dict(zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True))
        )

    @property
    def distinct(self) -> int:
        """How many different values there are."""
        return len(self.counts)

    @property
    def is_unique(self) -> bool:
        """Whether no value comes twice, as in a table of users or items."""
        return self.distinct == self.count == len(self.cells) > 0

    @cached_property
    def numbers(self) -> Any:
        """The values as numbers, None if one in a hundred is none."""
        try:
            found = to_number(self.texts)
        except WrongType:
            return None
        bad = 0 if found.bad is None else found.bad.true_count
        numbers = pc.drop_null(found.values).to_numpy()
        return numbers if len(numbers) and bad <= 0.01 * self.count else None

    @property
    def is_whole(self) -> bool:
        """Whether the values are whole numbers."""
        return self.numbers is not None and bool(np.all(np.equal(np.mod(self.numbers, 1), 0)))

    @property
    def is_id(self) -> bool:
        """Whether the values may be ids: whole numbers or single words, and not just a few."""
        if self.is_nested or self.is_flag or self.time[1] > 0.9 or self.parts != ("", 1):
            return False
        words = self.is_whole or _share(pc.match_substring(self.texts, " ")) < 0.1
        return bool(self.count and words and self.distinct > 11)

    @property
    def is_flag(self) -> bool:
        """Whether the values are 0 and 1, or false and true."""
        return self.numbers is not None and self.distinct <= 2 and set(self.numbers.tolist()) <= {0, 1}

    @property
    def is_scale(self) -> bool:
        """Whether the values look like ratings: a few numbers up to ten."""
        few = self.numbers is not None and 3 <= self.distinct <= 11
        return few and bool(self.numbers.min() >= 0 and self.numbers.max() <= 10)

    @cached_property
    def time(self) -> tuple[str, float]:
        """The unit or form in which most values are times, and the share of those that are; "" for none."""
        if pa.types.is_timestamp(self.cells.type) or pa.types.is_date(self.cells.type):
            return "iso", 1.0
        if self.is_nested or not self.count:
            return "", 0.0
        shares = [(self.share_in(unit), unit) for unit in self._units()]
        share, unit = max(shares, key=lambda pair: pair[0], default=(0.0, ""))
        return (unit, share) if share > 0.5 else ("", 0.0)

    def _units(self) -> tuple[str, ...]:
        return (*UNITS, "%Y%m%d%H%M%S", "%Y%m%d") if self.numbers is not None else ("iso", *FORMATS)

    def share_in(self, unit: str) -> float:
        """The share of the values that are times between 1995 and 2035 in a unit or form."""
        if unit in UNITS:
            seconds = self.numbers / UNITS[unit]
            return float(np.mean((seconds > SINCE) & (seconds < UNTIL)))
        seconds = to_times(self.texts.slice(0, _TRIED), unit).values
        inside = pc.and_(pc.greater(seconds, SINCE), pc.less(seconds, UNTIL))
        return float(pc.sum(pc.fill_null(inside, False)).as_py() or 0) / len(seconds)

    @cached_property
    def parts(self) -> tuple[str, int]:
        """What separates the values of a cell, and how many there are in 95 % of cells; 1 for no list."""
        if is_list(self.cells.type):
            return "", self._length(to_lists(self.cells, ""))
        for separator in (JSON, "|", ";", ","):
            if self._is_cut_by(separator):
                return separator, self._length(to_lists(self.texts, separator))
        return "", 1

    def _is_cut_by(self, separator: str) -> bool:
        texts = self.texts
        if not len(texts) or self.numbers is not None:
            return False
        if separator == JSON:
            return _share(pc.match_substring_regex(texts, r"^[\[(].*[\])]$")) > 0.95
        inside = _share(pc.match_substring(texts, separator))
        if inside < (0.3 if separator == "," else 0.1):
            return False
        values = pc.list_flatten(to_lists(pc.unique(texts), separator).values)
        # Sentences have commas as well, but hardly the same words between them again and again.
        again = separator != "," or pc.count_distinct(values).as_py() < 0.5 * len(values)
        return bool(again and pc.mean(pc.utf8_length(values)).as_py() < 30)

    def _length(self, lists: Any) -> int:
        lengths = pc.drop_null(pc.list_value_length(lists.values)).to_numpy()
        return int(np.quantile(lengths, 0.95, method="higher")) if len(lengths) else 1


def _share(mask: pa.BooleanArray) -> float:
    return float(mask.true_count) / max(len(mask), 1)
