"""What an embedding model wants of the rows it is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["events", "users", "sets"]
Sampling = Literal["", "uniform", "popularity", "all"]


@dataclass(frozen=True)
class Rows:
    """Asked for by a model, made by `zoo.data.training.training_view`.

    Attributes:
        history_length: Newest events of every history, None for the snapshot's.
        unit: What a row is. `events`: one event, after the history before it. `users`: one user, whose events
            are cut at a random moment into history and positives, anew each time. `sets`: one user whose
            events have no order, of which a random part is the history and the rest are positives.
        behaviour: Whose events are positives; by default those of what a user chose.
        history_share: Part of a user's events that is the history of a row of `users` or `sets`; None for one
            drawn anew each time, between none and all but one.
        n_positives: Of a user's row, at most; None for all.
        positive_power: An event weighs its item's popularity to minus this power, 1 on average.
        negatives: Items drawn for the whole batch: `uniform` over the catalogue, `popularity` in proportion
            to clicks^0.75, `all` for every item once; none by default.
        n_negatives: How many are drawn, with repeats.
    """

    history_length: int | None = None
    unit: Unit = "events"
    behaviour: str = ""
    history_share: float | None = None
    n_positives: int | None = None
    positive_power: float = 0.0
    negatives: Sampling = ""
    n_negatives: int = 0
