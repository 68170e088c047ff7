"""Keep the item statistics of all domains: demand, co-visits, and how experienced the users of an item are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.signals.covisitation import CoVisitation
from models.signals.popularity import Popularity
from models.signals.user_experience import UserExperience
from models.state.tracked_tables import Checkpointed
from models.tables.catalogue import Catalogue
from models.tables.decayed_counts import EVER
from models.tables.event_rings import Done, Recalled


@kernel
def describe_recent(
    domain: int, recalled: Recalled, counts: NDArray[np.float64], slot_of: NDArray[np.int32],
    recent_count: NDArray[np.float32], recent_slot: NDArray[np.int32]
) -> None:  # fmt: skip
    """Write the events and the co-visit slots of the latest items of one domain.

    counts: (rows, half-lives) of `Popularity`. slot_of: (rows,) of `CoVisitation`. recent_count: (B, R), written, at
    least 1. recent_slot: (B, R), written, -1 for none. Entries of other domains stay as they are.
    """
    for b in range(len(recalled.n)):
        for k in range(recalled.n[b]):
            if recalled.domain[b, k] == domain:
                row = recalled.row[b, k]
                if row < len(counts):
                    recent_count[b, k] = np.float32(max(counts[row, EVER], 1.0))
                if row < len(slot_of):
                    recent_slot[b, k] = slot_of[row] - 1


class ItemStatistics(Checkpointed):
    """The item state that learns from every event.

    `popularity` and `experience` have one entry a domain. `visits` spans all domains.
    """

    def __init__(self, catalogues: list[Catalogue], has_lists: list[bool] | None = None) -> None:
        """Begin without events.

        has_lists: for each domain, whether lists are published (default: all). A domain that gets lists later starts
        without experience.
        """
        self.has_lists = has_lists or [True for _ in catalogues]
        marks = [catalogue.ids.written for catalogue in catalogues]
        self.popularity = [Popularity(lists, mark) for lists, mark in zip(self.has_lists, marks, strict=True)]
        self.experience = [UserExperience(mark) for mark in marks]
        self.visits = CoVisitation(len(catalogues))

    def reserve(self, domain: int, rows: int) -> None:
        """Make room for this many items of a domain."""
        self.popularity[domain].reserve(rows)
        self.experience[domain].reserve(rows)

    def claim(self, done: Done) -> NDArray[np.int64]:
        """Return the co-visit slots of the events' items, (B,), -1 for a skip; give a slot to each item without one."""
        slots, chosen = self.visits.slots_of(done.domain, done.item), done.chosen()
        for n in np.flatnonzero(chosen & (slots < 0)).tolist():
            slots[n] = self.visits.claim(int(done.domain[n]), int(done.item[n]))
        slots[~chosen] = -1
        return slots

    def describe_recent(
        self, domain: int, recalled: Recalled, counts: NDArray[np.float32], slots: NDArray[np.int32]
    ) -> None:
        """Write the events and the slots of the latest items of one domain, see the kernel `describe_recent`.

        counts, slots: (B, R), written.
        """
        describe_recent(
            domain, recalled, self.popularity[domain].counts, self.visits.slot_of[domain], counts, slots
        )

    def fold(
        self,
        done: Done,
        places: list[NDArray[np.int64]],
        slots: NDArray[np.int64],
        recent_slots: NDArray[np.int32],
        recalled: Recalled,
        worth: NDArray[np.float64] | None = None,
    ) -> None:
        """Learn B events in their order.

        places: for each domain, the places of its events. slots: (B,) co-visit slots of the events' items.
        recent_slots: (B, R) those of the users' latest items. worth: (B,) how many events each counts as, default 1.
        """
        weights, chosen = np.ones(len(slots)) if worth is None else worth, done.chosen()
        for domain, every in enumerate(places):
            here, skipped = every[chosen[every]], every[~chosen[every]]
            if len(here):
                rows = done.item[here]
                self.popularity[domain].fold(rows, done.time[here], weights[here])
                if self.has_lists[domain]:
                    self.experience[domain].fold(rows, recalled.events[here])
            if len(skipped):
                self.popularity[domain].lower(done.item[skipped], weights[skipped])
        if chosen.any():
            times = np.maximum.accumulate(self.shared_clock(done.time[chosen]))
            self.visits.fold(slots[chosen], recent_slots[chosen], recalled.n[chosen], times, weights[chosen])

    def shared_clock(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the newest of all domains' clocks and each `time`, (n,), in seconds.

        One clock counts the co-visits of all domains. With separate clocks, the counts of a domain that is years ahead
        would look huge in another.
        """
        return np.maximum(time, max(popularity.newest for popularity in self.popularity))

    def end_future(self, newest: list[float]) -> None:
        """Let nothing count as later than the domains' clocks, in seconds."""
        for popularity, now in zip(self.popularity, newest, strict=True):
            popularity.end_future(now)
        self.visits.end_future(max(newest))

    def drop_item(self, domain: int, row: int) -> None:
        """Forget the row: it is free, or stands for another item, from now on."""
        self.popularity[domain].drop(row)
        self.experience[domain].drop(row)
        self.visits.drop(domain, row)

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "popularity": [p.live() for p in self.popularity],
            "stage": [s.live() for s in self.experience],
            "visits": self.visits.live(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        for popularity, held in zip(self.popularity, state["popularity"], strict=True):
            popularity.load(held)
        for experience, held in zip(self.experience, state["stage"], strict=True):
            experience.load(held)
        self.visits.load(state["visits"])
