"""Define a line of a file of impressions, as JSON: what was shown, what was clicked, and what could have been shown."""

from __future__ import annotations

from typing import Annotated

import msgspec

Id = Annotated[str, msgspec.Meta(min_length=1)]
Chance = Annotated[float, msgspec.Meta(ge=0, le=1)]


class LoggedPool(msgspec.Struct, forbid_unknown_fields=True):
    """The candidates of a list, and what tells how likely each was to stand at each place."""

    items: Annotated[list[Id], msgspec.Meta(min_length=1)]
    """All candidates, also those that were not shown."""
    scores: list[float] | None = None
    """What the list was drawn by, for each candidate; larger is better."""
    temperature: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """τ of the softmax that the places were drawn by."""
    share: Chance = 0.0
    """The share of places that were kept for new items."""
    new: list[Id] = []
    """Which of the candidates were new items."""
    probabilities: list[list[Chance]] | None = None
    """Instead of a temperature: for each shown place, the probability of each candidate to stand there."""
    other_scores: dict[str, list[float]] = {}
    """Scores of other rankers, by name, for each candidate."""
    other_probabilities: dict[str, list[list[Chance]]] = {}
    """Probabilities of other policies, by name, as `probabilities`."""


class ImpressionLine(msgspec.Struct, forbid_unknown_fields=True):
    """One impression. Fields are named as in the event of an impression."""

    user_id: Id
    domain: Id
    items: Annotated[list[Id], msgspec.Meta(min_length=1, max_length=200)]
    """What was shown, in order: the first items of the drawn list."""
    clicks: list[Id | int]
    """What was clicked: ids of shown items, or their places, from 1. Empty if nothing was."""
    pool: LoggedPool
    p: list[Chance] | None = None
    """The published probability of each place given those before. It is compared with what the pool tells."""
    places: list[Annotated[int, msgspec.Meta(ge=1)]] | None = None
    """The place of each item, from 1, where a log with probabilities holds some places of a list only."""
    type: str = "impression"
    event_id: str | None = None
    timestamp: int | float | str | None = None
    list_ts: int | None = None
