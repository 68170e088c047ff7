"""Read a file of impressions for the first time: who, what was shown, what was clicked, and the examination curve."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.errors import Stop
from consumers.evaluation.impressions.appeal import ShownPlaces
from consumers.evaluation.impressions.curves import Curve, learned_curve
from consumers.evaluation.impressions.logged_list import LoggedList, read_lists
from consumers.evaluation.impressions.options import ImpressionOptions
from models.exposure.examination import Examination
from models.exposure.plackett_luce import shown_of

Floats = NDArray[np.float64]
Index = NDArray[np.int64]


class Log(NamedTuple):
    """What was shown in n lists of up to k places. All (n, k), but users, (n,), and the last four.

    items: numbers, -1 where nothing was shown. scores: 0 if the log has none.
    """

    users: Index
    items: Index
    ranks: Index
    scores: Floats
    clicks: Floats
    curve: Curve
    user_numbers: dict[str, int]
    item_numbers: dict[tuple[str, str], int]
    """By domain and id."""
    lists: dict[str, int]
    """Lists by domain, of all domains of the file."""

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Whether there was an item, (n, k)."""
        return self.items >= 0

    def places(self) -> ShownPlaces:
        """Return all shown places, one after the other."""
        shown = self.shown
        users = np.broadcast_to(self.users[:, None], shown.shape)
        theta = self.curve.values[self.ranks]
        return ShownPlaces(
            users[shown], self.items[shown], self.scores[shown], self.clicks[shown], theta[shown]
        )


def read_log(
    options: ImpressionOptions, given: Curve | None, tell: Callable[[int], object] = lambda _: None
) -> Log:
    """Read the file to its end. Raises Stop.

    given: the examination curve; None: learn it. tell: see `read_lists`.
    """
    gathered, examination = _Gathered(), Examination(1)
    for _, whole in read_lists(options.file, tell):
        gathered.count(whole)
        logged = whole.first(options.top)
        if given is None and logged.pool is not None and logged.clicks.any():
            examination.add(0, shown_of(logged.pool, logged.order), logged.clicks, logged.share)
        if options.target in (None, logged.domain) and len(logged.ranks):
            gathered.add(logged)
    if not gathered.rows:
        raise Stop(_nothing(options.file, options.target, gathered.lists))
    return gathered.log(given if given is not None else learned_curve(examination))


def _nothing(file: Path, target: str | None, domains: dict[str, int]) -> str:
    if target is None or not domains:
        return f"--impressions {file}: there is no impression in it"
    return f"--target {target}: --impressions {file} has {', '.join(sorted(domains))}"


class _Row(NamedTuple):
    user: int
    items: list[int]
    ranks: Index
    scores: Floats
    clicks: NDArray[np.bool_]


class _Gathered:
    """What was read so far."""

    def __init__(self) -> None:
        self.rows: list[_Row] = []
        self.users: dict[str, int] = {}
        self.items: dict[tuple[str, str], int] = {}
        self.lists: dict[str, int] = {}

    def count(self, logged: LoggedList) -> None:
        self.lists[logged.domain] = self.lists.get(logged.domain, 0) + 1
        self.users.setdefault(logged.user, len(self.users))

    def add(self, logged: LoggedList) -> None:
        names = logged.line.pool.items
        items = [self.items.setdefault((logged.domain, names[c]), len(self.items)) for c in logged.order]
        scores = np.zeros(len(items)) if logged.scores is None else logged.scores[logged.order]
        self.rows.append(_Row(self.users[logged.user], items, logged.ranks, scores, logged.clicks))

    def log(self, curve: Curve) -> Log:
        places = max(len(row.items) for row in self.rows)
        shape = (len(self.rows), places)
        items, ranks = np.full(shape, -1), np.zeros(shape, np.int64)
        scores, clicks = np.zeros(shape), np.zeros(shape)
        for n, row in enumerate(self.rows):
            length = len(row.items)
            items[n, :length], ranks[n, :length] = row.items, row.ranks
            scores[n, :length], clicks[n, :length] = row.scores, row.clicks
        users = np.array([row.user for row in self.rows])
        return Log(users, items, ranks, scores, clicks, curve, self.users, self.items, self.lists)
