"""What the ranker knows of all domains' items: demand, co-visits, and at which stage users take an item."""

from __future__ import annotations

from typing import Any

from models.signals.covisitation import CoVisitation
from models.signals.popularity import Popularity
from models.signals.user_experience import Stage
from models.state.tracked_tables import Live
from models.tables.catalogue import Catalogue
from models.tables.user_history import History


class ItemStatistics(Live):
    """Item state that every event folds into. Reading it changes nothing.

    `popularity` and `stage` have one entry a domain; `visits` spans all domains.
    """

    def __init__(
        self, catalogues: list[Catalogue], history: History, listed: list[bool] | None = None
    ) -> None:
        """listed: for each domain, whether lists are published (default: all). A domain that gets lists later starts
        without stages."""
        self.listed = listed or [True for _ in catalogues]
        self._history = history
        self.popularity = [Popularity(lists) for lists in self.listed]
        self.stage = [Stage() for _ in catalogues]
        self.visits = CoVisitation(len(catalogues))

    def observe(self, domain: int, user: int, item: int, time: float) -> None:
        """Fold one event in; call before `History.add`. time: seconds."""
        recent = self._history.recent(user)
        self.popularity[domain].add(item, time)
        if self.listed[domain]:
            self.stage[domain].add(item, self._history.count(user, domain))
        self.visits.add(domain, item, recent.domain, recent.row, self.shared_clock(time))

    def shared_clock(self, time: float) -> float:
        """Return the newest of all domains' clocks and `time`, in seconds.

        Co-visits of all domains are counted by one clock: else a domain that is years behind another would take the
        other's counts for huge ones.
        """
        return max(time, *(popularity.newest for popularity in self.popularity))

    def end_future(self, newest: list[float]) -> None:
        """Let nothing count as later than the domains' clocks, in seconds."""
        for popularity, now in zip(self.popularity, newest, strict=True):
            popularity.end_future(now)
        self.visits.end_future(max(newest))

    def drop_item(self, domain: int, row: int) -> None:
        """The row is free, or stands for another item, from now on."""
        self.popularity[domain].drop(row)
        self.stage[domain].drop(row)
        self.visits.drop(domain, row)

    def live(self) -> dict[str, Any]:
        return {
            "popularity": [p.live() for p in self.popularity],
            "stage": [s.live() for s in self.stage],
            "visits": self.visits.live(),
        }

    def load(self, state: dict[str, Any]) -> None:
        for name in ("popularity", "stage"):
            for part, held in zip(getattr(self, name), state[name], strict=True):
                part.load(held)
        self.visits.load(state["visits"])
