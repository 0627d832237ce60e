"""What was read of which file, and the rows that could not be."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from zoo.core.errors import UserError

SAMPLES = 3


@dataclass
class FileReport:
    """One file as one table.

    Attributes:
        rows: Good and bad ones.
        bad: Rows left out.
        samples: The first of them, as `file:line: reason`.
    """

    rows: int = 0
    bad: int = 0
    samples: list[str] = field(default_factory=list)


@dataclass
class Report:
    """All files of a dataset, by table and file."""

    files: dict[tuple[str, str], FileReport] = field(default_factory=dict)

    @property
    def bad(self) -> int:
        """Rows left out in all files."""
        return sum(report.bad for report in self.files.values())

    def add(self, table: str, file: str, rows: int, bad: int, samples: Iterable[str]) -> None:
        """Counts rows of a file, some of them bad."""
        report = self.files.setdefault((table, file), FileReport())
        report.rows += rows
        report.bad += bad
        report.samples += list(samples)[: SAMPLES - len(report.samples)]

    def dumps(self) -> str:
        """All of it as JSON, to be kept beside the tables."""
        rows = [{"table": of, "file": file} | asdict(report) for (of, file), report in self.files.items()]
        return json.dumps(rows, indent=1)

    def read(self, text: str) -> None:
        """Takes over what `dumps` wrote.

        Raises:
            ValueError: The text is nothing of the kind.
        """
        try:
            self.files |= {
                (str(row["table"]), str(row["file"])): FileReport(
                    int(row["rows"]), int(row["bad"]), [str(sample) for sample in row["samples"]]
                )
                for row in json.loads(text)
            }
        except (KeyError, TypeError) as error:
            raise ValueError(f"no report of what was read: {error}") from None

    def check(self, table: str, allowed: float) -> None:
        """Refuses a table with too many bad rows.

        Raises:
            UserError: The share of bad rows so far is above `allowed`.
        """
        reports = [report for (of, _), report in self.files.items() if of == table]
        rows, bad = (sum(getattr(report, what) for report in reports) for what in ("rows", "bad"))
        if bad > allowed * rows:
            first, *more = [sample for report in reports for sample in report.samples][:SAMPLES]
            also = f" (also {'; '.join(more)})" if more else ""
            raise UserError(f"{first}{also}; {_counted(bad, rows, allowed)}")


def _counted(bad: int, rows: int, allowed: float) -> str:
    share = bad / rows
    count = f"{bad:,} of {rows:,} rows read {'is' if bad == 1 else 'are'} bad"
    limit = f", more than bad_rows: {allowed:g} allows" if allowed else ""
    if share > 0.2:
        return count + limit
    # One digit, rounded up, is easy to type and enough.
    digit = 10.0 ** math.floor(math.log10(share))
    return f"{count}{limit}; to leave them out set bad_rows: {math.ceil(share / digit - 1e-9) * digit:g}"
