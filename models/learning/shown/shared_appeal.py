"""Share what shows and clicks add to appeals, so that several learners have the appeals of one that learns them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.learning.impressions import Waiting
from models.learning.shown.appeal import Appeal
from models.sharing.applied import Applied
from models.sharing.shared_facts import Place, Shows
from models.tables.catalogue import Catalogue

Floats = NDArray[np.float64]
CLICKS, EXPECTED, SHOWS = range(3)


class SharedAppeal:
    """The appeals of one of several learners. Own shows and clicks count here at once, and leave with `moved`.

    What a learner has sent and lost with its process comes back from the others' log: `applied` then says which shows
    and clicks were in it, so that they are not counted again.
    """

    def __init__(self, appeal: Appeal, domains: Sequence[str], catalogues: Sequence[Catalogue]) -> None:
        """domains: their names."""
        self.applied = Applied()
        self._appeal, self._domains, self._catalogues = appeal, list(domains), catalogues
        self._own: list[dict[str, list[float]]] = [{} for _ in domains]
        """By domain and item id: clicks, expected clicks and shows that the others do not know."""
        self._shown: dict[tuple[str, int], None] = {}
        """Topics and partitions of `_own`, each once."""

    def claim(self, seen: Sequence[Waiting]) -> NDArray[np.bool_]:
        """Note that shows and clicks are learned now. Return whether each is new, (n,)."""
        return np.array([one.place is None or self._claim(one.place) for one in seen], np.bool_)

    def _claim(self, place: Place) -> bool:
        new = self.applied.claim(place)
        if new:
            self._shown[place.topic, place.partition] = None
        return new

    def show(self, domain: int, rows: NDArray[np.int64], expected: Floats) -> None:
        """Note own shows; see `Appeal.show`."""
        self._appeal.show(domain, rows, expected)
        for row, value in zip(rows.tolist(), expected.tolist(), strict=True):
            held = self._held(domain, row)
            held[EXPECTED] += value
            held[SHOWS] += 1.0

    def click(self, domain: int, rows: NDArray[np.int64], clicks: Floats) -> None:
        """Note own clicks; see `Appeal.click`."""
        self._appeal.click(domain, rows, clicks)
        for row, value in zip(rows.tolist(), clicks.tolist(), strict=True):
            self._held(domain, row)[CLICKS] += value

    def _held(self, domain: int, row: int) -> list[float]:
        return self._own[domain].setdefault(self._catalogues[domain].ids.id_of[row], [0.0, 0.0, 0.0])

    @property
    def waits(self) -> bool:
        """Whether there is something to send."""
        return bool(self._shown)

    def moved(self) -> tuple[list[Shows], list[tuple[str, int, int]]]:
        """Return what own shows and clicks have added since the last call: `shows` and `shown` of `SharedMoves`."""
        shown = [(*place, self.applied.next[place]) for place in self._shown]
        self._shown.clear()
        found = []
        for name, held in zip(self._domains, self._own, strict=True):
            if held:
                clicks, expected, shows = np.array(list(held.values())).T
                columns = clicks.astype(np.float32), expected.astype(np.float32), shows.astype(np.uint32)
                found.append(Shows(name, list(held), *columns))
                held.clear()
        return found, shown

    def move(
        self, shows: Iterable[Shows], shown: Iterable[tuple[str, int, int]], row_of: Callable[[int, str], int]
    ) -> None:
        """Count what another learner has sent, or this one before a crash.

        shown: see `SharedMoves`. row_of: returns the catalogue's row of domain and item id, -1 for none. Items without
        a row, and domains unknown here, are left out.
        """
        for place in shown:
            self.applied.claim_to(*place)
        for one in shows:
            finite = np.isfinite(one.clicks).all() and np.isfinite(one.expected).all()
            if one.domain in self._domains and finite:
                domain = self._domains.index(one.domain)
                rows = np.array([row_of(domain, name) for name in one.ids], np.int64)
                there = rows >= 0
                self._appeal.add(
                    domain, rows[there], one.clicks[there], one.expected[there], one.shows[there]
                )
