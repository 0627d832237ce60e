"""Mistakes in what the user wrote, each with its place, collected so that all are told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from zoo.core.errors import UserError

COMMAND_LINE = "command line"

T = TypeVar("T")


@dataclass(frozen=True)
class Mistake:
    """One mistake, printed as `file:line: key: text`.

    Attributes:
        file: The file the key stands in, or `command line`.
        line: Its line from 1, None outside of files.
        key: The dotted key, empty when the file as a whole is meant.
        text: What was found and what was expected.
    """

    file: str
    line: int | None
    key: str
    text: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.key, self.text) if part)


class ConfigErrors(UserError):
    """Every mistake found in one go; prints one a line, file by file in the order of lines."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        # A file used in two places is checked twice, its mistakes are told once.
        unique = list(dict.fromkeys(mistakes))
        files = list(dict.fromkeys(mistake.file for mistake in unique))
        self.mistakes = tuple(sorted(unique, key=lambda m: (files.index(m.file), m.line or 0)))
        super().__init__("\n".join(map(str, self.mistakes)))


class Mistakes:
    """A collector: go on after a mistake, raise all of them at the end."""

    def __init__(self) -> None:
        self.found: list[Mistake] = []

    def attempt(self, make: Callable[[], T], under: str = "") -> T | None:
        """What `make` returns, or None after keeping the mistakes it raised.

        Args:
            make: Raises ConfigErrors, or not.
            under: Goes before the keys of the command line, so that a mistake names the key as it was typed.
        """
        try:
            return make()
        except ConfigErrors as errors:
            self.found += [_typed(mistake, under) for mistake in errors.mistakes]
            return None

    def raise_if_any(self) -> None:
        """Ends the collection.

        Raises:
            ConfigErrors: When there was any mistake.
        """
        if self.found:
            raise ConfigErrors(self.found)


def _typed(mistake: Mistake, under: str) -> Mistake:
    if not under or mistake.file != COMMAND_LINE:
        return mistake
    return replace(mistake, key=f"{under}.{mistake.key}")
