"""Count how often users have two items close together: one bounded list of neighbours an item, over all domains."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.signals.signal import Visits
from models.state.tracked_tables import Checkpointed
from models.tables.catalogue import grown
from models.tables.neighbour_lists import SIZES, Blocks, NeighbourLists, seat

WINDOW = 20
"""The number of the user's latest items that an event is paired with."""
FADE = 0.8
"""Weight of the k-th latest item in an ordered count: FADE^(k-1)."""
DAY = 86400.0
KINDS = ("next", "next_60d", "previous", "with", "with_30d")
"""Kinds of counts. next: the neighbour came after the item. previous: it came before. with: in any order. The endings
`_60d` and `_30d` name a half-life in days."""
RATES = np.array([{"60d": 1 / 60, "30d": 1 / 30}.get(kind[-3:], 0.0) for kind in KINDS]) * np.log(2) / DAY
"""(kinds,): decay a second. The last kind, `with_30d`, decides which neighbour of a full list is replaced."""
REBASE, MOST = 40.0, 80.0
"""Exponents of the growth. Counts are rescaled after e^40, well inside float32. The growth stops at e^80: after years
without an event it would overflow, and earlier counts are negligible by then."""
GROWTHS = len(SIZES) * (2 * WINDOW + 1)
"""An upper bound of the growths of lists at one event: each list that it writes may grow through every size."""
SWEEP = 1024
"""Dropped slots are removed from the lists together, once there are this many and they are a tenth of all slots."""


NEXT, NEXT_60D, PREVIOUS, WITH, WITH_30D = range(len(KINDS))


class Pairs(NamedTuple):
    """B events and the items that their users had before.

    slots: (B,) of the events' items. latest: (B, R) slots of the users' latest items, newest first, -1 for none.
    counts: (B,) the number of latest items. growth: (B, kinds) the weight of an event at its time, see `growth`. worth:
    (B,) how many events each counts as.
    """

    slots: NDArray[np.int64]
    latest: NDArray[np.int32]
    counts: NDArray[np.int64]
    growth: NDArray[np.float64]
    worth: NDArray[np.float32]


@kernel
def mark(bits: NDArray[np.uint8], number: int) -> None:
    """Set the bit of a number, the lowest of a byte first."""
    bits[number >> 3] |= np.uint8(1 << (number & 7))


@kernel
def fold(blocks: Blocks, begin: int, pairs: Pairs, written: NDArray[np.uint8]) -> int:
    """Count the events from `begin` on with their users' latest items, while there is room for lists to grow.

    Return the first event that was not counted. written: gets a bit for the code of each place that is written. An
    ordered count weighs FADE^k for the k-th latest item.
    """
    slots, latest, counts, growth, worth = pairs
    room, stack = GROWTHS * blocks.sizes[-1], blocks.left.shape[1] - GROWTHS
    for b in range(begin, len(slots)):
        if blocks.end[0] + room > len(blocks.ids) or blocks.left_n.max() > stack:
            return b
        slot, weight, whole = slots[b], worth[b], worth[b]
        sixty, thirty = np.float32(growth[b, NEXT_60D]), whole * np.float32(growth[b, WITH_30D])
        for k in range(min(counts[b], WINDOW)):
            other = latest[b, k]
            twice = other < 0 or other == slot
            for earlier in range(k):
                twice |= latest[b, earlier] == other
            if not twice:
                at = seat(blocks, other, slot)
                blocks.weights[at, NEXT] += weight
                blocks.weights[at, NEXT_60D] += weight * sixty
                blocks.weights[at, WITH] += whole
                blocks.weights[at, WITH_30D] += thirty
                mark(written, other * blocks.sizes[-1] + at - blocks.begin[other])
                at = seat(blocks, slot, other)
                blocks.weights[at, PREVIOUS] += weight
                blocks.weights[at, WITH] += whole
                blocks.weights[at, WITH_30D] += thirty
                mark(written, slot * blocks.sizes[-1] + at - blocks.begin[slot])
            weight *= np.float32(FADE)
    return len(slots)


class CoVisitation(Checkpointed):
    """Counts of pairs of items that one user had within 20 events, in any domain.

    An item takes a *slot* at its first event. Its neighbours are slots too, at most 256. In a full list the neighbour
    with the lowest `with_30d` is replaced. Decay is forward (Cormode et al., ICDE 2009): a later event weighs more, and
    a reader divides by the growth.

    A user has item 0, then item 1: `next` of item 0 counts item 1, and `previous` of item 1 counts item 0.

    >>> visits = CoVisitation(domains=1)
    >>> visits.add(0, 0, np.zeros(0, np.int8), np.zeros(0, np.int32), time=0.0)
    >>> visits.add(0, 1, np.zeros(1, np.int8), np.zeros(1, np.int32), time=0.0)
    >>> at, rows, counts = visits.neighbours(0, visits.slots(0, np.array([0, 1])), np.ones(2, bool))
    >>> [(int(a), int(row), dict(zip(KINDS, c.tolist()))["next"]) for a, row, c in zip(at, rows, counts)]
    [(0, 1, 1.0), (1, 0, 0.0)]
    """

    def __init__(self, domains: int, sizes: tuple[int, ...] = SIZES) -> None:
        """Begin without counts. sizes: the numbers of places that a list of neighbours may have, ascending."""
        self.slot_of = [np.zeros(0, np.int32) for _ in range(domains)]
        """Per domain (rows,): slot + 1, or 0 for an item without one."""
        self.domain_of = np.zeros(0, np.int8)
        """(slots,): -1 for a slot that is free or waits to be swept."""
        self.row_of = np.zeros(0, np.int32)
        self.lists = NeighbourLists(len(KINDS), sizes)
        self.start = np.nan
        self.used = 0
        self._free: list[int] = []
        self._dropped: list[int] = []

    def slots(self, domain: int, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Return (len(rows),): the slots of these items of one domain, -1 for an item without one."""
        held = self.slot_of[domain]
        found = np.zeros(len(rows), np.int64)
        known = rows < len(held)
        found[known] = held[rows[known]]
        return found - 1

    def slots_of(self, domains: NDArray[Any], rows: NDArray[Any]) -> NDArray[np.int64]:
        """Return the slots of items of several domains, in the shape of `rows`; -1 for an item without one."""
        found = np.full(len(rows), -1, np.int64)
        for domain in range(len(self.slot_of)):
            here = domains == domain
            if here.any():
                found[here] = self.slots(domain, rows[here])
        return found

    def growth(self, time: float) -> NDArray[np.float64]:
        """Return (kinds,): the weight of an event at `time` (seconds) relative to one at `start`."""
        passed = 0.0 if np.isnan(self.start) else time - self.start
        growth: NDArray[np.float64] = np.exp(np.minimum(RATES * passed, MOST))
        return growth

    def add(
        self, domain: int, row: int, domains: NDArray[np.int8], rows: NDArray[np.int32], time: float
    ) -> None:
        """Count an event on one item. domains, rows: the user's latest items, oldest first. time: seconds."""
        latest = self.slots_of(domains, rows)[::-1].astype(np.int32)[None]
        self.fold(np.array([self.claim(domain, row)]), latest, np.array([len(rows)]), np.array([time]))

    def fold(
        self,
        slots: NDArray[np.int64],
        latest: NDArray[np.int32],
        counts: NDArray[np.int64],
        times: NDArray[np.float64],
        worth: NDArray[np.float64] | None = None,
    ) -> None:
        """Count B events in their order.

        slots: (B,) of the events' items. latest: (B, R) slots of the users' latest items, newest first, -1 for none.
        counts: (B,) the number of latest items. times: (B,) seconds, by the clock that all domains share. worth: (B,)
        how many events each counts as, default 1.
        """
        self._rebase_if_due(float(times[0]), float(times.max()))
        growth = np.exp(np.minimum(RATES * (times - self.start)[:, None], MOST))
        whole = np.ones(len(slots), np.float32) if worth is None else worth.astype(np.float32)
        pairs = Pairs(slots, latest, counts, growth, whole)
        begin = 0
        while begin < len(slots):
            self.lists.reserve(GROWTHS)
            written = self.lists.written.bits(len(self.domain_of) * self.lists.most)
            begin = fold(self.lists.blocks(), begin, pairs, written)

    def _rebase_if_due(self, first: float, last: float) -> None:
        if np.isnan(self.start):
            self.start = first
        if (RATES * (last - self.start)).max() > REBASE:
            self.lists.written.everything()
            weights = self.lists.weights[: self.lists.end]
            weights /= self.growth(first).astype(np.float32)
            weights[weights < 1e-30] = 0.0
            self.start = first

    def claim(self, domain: int, row: int) -> int:
        """Return the item's slot; give it one if it has none."""
        self.slot_of[domain] = grown(self.slot_of[domain], row + 1)
        slot = int(self.slot_of[domain][row]) - 1
        if slot >= 0:
            return slot
        slot = self._free.pop() if self._free else self.used
        if slot == self.used:
            self.used += 1
            old = len(self.domain_of)
            self.domain_of, self.row_of = (grown(a, self.used) for a in (self.domain_of, self.row_of))
            self.domain_of[old:] = -1
            self.lists.claim(slot)
        self.slot_of[domain][row] = slot + 1
        self.domain_of[slot], self.row_of[slot] = domain, row
        return slot

    def kernel_view(self, domain: int, compare: bool = True) -> Visits:
        """Return the lists as the kernels that rank items of this domain read them. compare: see `Visits`."""
        blocks = self.lists.blocks()
        return Visits(
            blocks.ids,
            blocks.weights,
            blocks.begin,
            blocks.room,
            self.domain_of,
            self.row_of,
            float(self.start),
            domain,
            compare,
        )

    def neighbours(
        self, domain: int, slots: NDArray[np.int64], eligible: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """Return the eligible neighbours of these slots in one domain: index in `slots`, row, weights (n, kinds).

        eligible: (rows of the domain,) whether each item is eligible.
        """
        if not len(slots) or not self.used:
            return np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros((0, len(KINDS)), np.float32)
        at, flat = self.lists.places(slots)
        ids = self.lists.ids[flat]
        # Free places hold -1, which would index the last slot, so they need a test of their own.
        here = (ids >= 0) & (self.domain_of[ids] == domain)
        at, flat, rows = at[here], flat[here], self.row_of[ids[here]]
        kept = eligible[rows]
        return at[kept], rows[kept], self.lists.weights[flat[kept]]

    def end_future(self, now: float) -> None:
        """Let no event count as later than `now` (seconds): cut each decayed count to the one that does not decay."""
        if np.isnan(self.start):
            return
        self.start = min(self.start, now)
        weights, growth = self.lists.weights, self.growth(now).astype(np.float32)
        for n, kind in enumerate(KINDS):
            if RATES[n]:
                ever = weights[:, KINDS.index(kind.split("_")[0])]
                np.minimum(weights[:, n], ever * growth[n], out=weights[:, n])
        self.lists.written.everything()

    def drop(self, domain: int, row: int) -> None:
        """Forget the item's counts, because its row is free or stands for another item from now on."""
        slot = int(self.slots(domain, np.array([row]))[0])
        if slot < 0:
            return
        self.slot_of[domain][row] = 0
        self.domain_of[slot] = -1
        self.lists.drop(slot)
        self._dropped.append(slot)
        if len(self._dropped) >= max(SWEEP, self.used // 10):
            gone = np.zeros(len(self.domain_of), np.bool_)
            gone[self._dropped] = True
            self.lists.remove(gone)
            self._free.extend(self._dropped)
            self._dropped = []

    def live(self) -> dict[str, Any]:
        """Return what `load` takes.

        Of the lists it holds only the places with a neighbour, because most items have few. The place itself is part of
        the state: sums depend on the order of neighbours.
        """
        n = self.used
        return {
            "slot_of": list(self.slot_of),
            "domain_of": self.domain_of[:n],
            "row_of": self.row_of[:n],
            "places": self.lists.live(),
            "start": self.start,
            "free": list(self._free),
            "dropped": list(self._dropped),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.slot_of = [s.copy() for s in state["slot_of"]]
        self.domain_of, self.row_of = state["domain_of"].copy(), state["row_of"].copy()
        self.start, self.used = float(state["start"]), len(self.row_of)
        self.lists.load(state["places"], self.used)
        self._free, self._dropped = list(state["free"]), list(state["dropped"])
