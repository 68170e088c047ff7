"""Store training events for replay, and draw the candidates that they compete with."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import DirtyKeys
from models.state.tracked_tables import Checkpointed, Rows
from models.tables.catalogue import grown

DAY = 86_400.0


def at(array: NDArray[Any], index: NDArray[np.int64]) -> NDArray[Any]:
    """Return array[index], with 0 for an index beyond the end. index: (n,).

    >>> at(np.array([5, 6]), np.array([1, 2])).tolist()
    [6, 0]
    """
    inside = index < len(array)
    if inside.all():
        return array[index]
    out = np.zeros(len(index), array.dtype)
    out[inside] = array[index[inside]]
    return out


def used(recent: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether there is a recent item, (n, L). recent: (n, L, 3) domain, row, time."""
    return np.asarray(recent[:, :, 0] >= 0)


def age(recent: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the days between each recent item and the newest one, (n, L), because only pauses count, not the clock.

    recent: (n, L, 3) domain, row, time.
    """
    time = recent[:, :, 2]
    days = np.maximum(time[:, :1] - time, 0.0) / DAY
    return np.where(used(recent), days, 0.0).astype(np.float32)


def capped(recent: NDArray[np.float64], now: float) -> NDArray[np.float64]:
    """Return `recent` with every time after `now` (seconds) set to `now`. recent: (…, 3) domain, row, time."""
    result: NDArray[np.float64] = np.minimum(recent, np.array([np.inf, np.inf, now]))
    return result


class Events(NamedTuple):
    """B training events, with L recent items of each event's user."""

    domain: NDArray[np.int64]  # (B,)
    user: NDArray[np.int64]  # (B,) user rows
    item: NDArray[np.int64]  # (B,) item rows of `domain`
    residual: NDArray[np.float32]  # (B,) nan for clicks
    time: NDArray[np.float64]  # (B,) seconds since the epoch
    recent: NDArray[np.float64]  # (B, L, 3) domain, row, time before the event, newest first; domain -1: none

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the fields by name."""
        return self._asdict()

    def take(self, index: NDArray[Any]) -> Events:
        """Return copies of some events. index: places, or a mask (B,)."""
        return Events(**{name: column[index] for name, column in self.columns().items()})

    def joined(self, other: Events) -> Events:
        """Return the events of both, this one's first."""
        more = other.columns()
        return Events(**{name: np.concatenate([a, more[name]]) for name, a in self.columns().items()})

    @property
    def used(self) -> NDArray[np.bool_]:
        """(B, L): whether there is a recent item."""
        return used(self.recent)

    def had(self, domain: int, pool: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which candidates are recent items of the user, (B, M), without the wanted one: no list shows them.

        pool: (M,) ascending item rows of `domain`. wanted: (B,) places in it.
        """
        b, near = np.nonzero(self.recent[:, :, 0] == domain)
        rows = self.recent[b, near, 1].astype(np.int64)
        place = np.minimum(np.searchsorted(pool, rows), len(pool) - 1)
        found = (pool[place] == rows) & (place != wanted[b])
        out = np.zeros((len(wanted), len(pool)), np.bool_)
        out[b[found], place[found]] = True
        return out


class ReplayBuffer(Checkpointed):
    """A ring of the latest `capacity` events, sampled uniformly, so that memory is bounded and replay follows drift.

    The number of an event is the count of events before it. When a row gets another owner, the buffer keeps the number
    of the first event that may be theirs. An event of domain -1, whose domain has left the config, is never drawn. The
    buffer keeps no random state.
    """

    def __init__(self, capacity: int, length: int, domains: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.capacity = capacity
        self.added = 0
        self._user_born = np.zeros(0, np.int64)
        self._item_born = [np.zeros(0, np.int64) for _ in range(domains)]
        self._held = np.zeros(0, np.int64)
        """The number of events of each user row. A row without events needs no search."""
        self._slots, self._users = DirtyKeys(), DirtyKeys()
        self._items = [DirtyKeys() for _ in range(domains)]
        self._events = Events(
            domain=np.zeros(capacity, np.int64),
            user=np.zeros(capacity, np.int64),
            item=np.zeros(capacity, np.int64),
            residual=np.zeros(capacity, np.float32),
            time=np.zeros(capacity, np.float64),
            recent=np.zeros((capacity, length, 3), np.float64),
        )

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(self, events: Events) -> None:
        """Store the events in order. The oldest make room. A batch above the capacity keeps its latest."""
        n = len(events.user)
        kept = events.take(np.arange(max(n - self.capacity, 0), n))
        slots = (self.added + np.arange(n - len(kept.user), n)) % self.capacity
        self._count(self._theirs(slots[slots < len(self)]), -1)
        values = kept.columns()
        for name, column in self._events.columns().items():
            column[slots] = values[name]
        self._slots.update(slots.tolist())
        self.added += n
        self._count(kept.user, 1)

    def _numbers(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the event in each filled slot."""
        return self.added - 1 - (self.added - 1 - slots) % self.capacity

    def _theirs(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the user rows of the events in these slots, without events of a row's earlier owner."""
        number = self._numbers(slots)
        users = self._events.user[slots]
        return users[number >= at(self._user_born, users)]

    def _count(self, users: NDArray[np.int64], step: int) -> None:
        if len(users):
            self._held = grown(self._held, int(users.max()) + 1)
            np.add.at(self._held, users, step)

    def sample(self, n: int, rng: np.random.Generator) -> Events:
        """Draw `n` events, uniform with replacement, and leave out those of a row's earlier owner."""
        slot = rng.integers(0, max(len(self), 1), n if len(self) else 0)
        number = self._numbers(slot)
        events = self._events.take(slot)
        good = (number >= at(self._user_born, events.user)) & (events.domain >= 0)
        for d, born in enumerate(self._item_born):
            here = events.domain == d
            good[here] &= number[here] >= at(born, events.item[here])
            b, near = np.nonzero(events.recent[:, :, 0] == d)
            gone = number[b] < at(born, events.recent[b, near, 1].astype(np.int64))
            events.recent[b[gone], near[gone], 0] = -1  # `take` has made a copy
        return events.take(good)

    def forget_user(self, row: int) -> None:
        """Forget the row's events: it is free, or stands for another user, from now on."""
        self._user_born = grown(self._user_born, row + 1)
        self._user_born[row] = self.added
        self._users.add(row)
        if row >= len(self._held) or not self._held[row]:
            return
        self._held[row] = 0
        theirs = np.flatnonzero(self._events.user[: len(self)] == row)
        self._slots.update(theirs.tolist())
        for name, column in self._events.columns().items():
            if name != "user":  # the row number tells that the event is an earlier owner's
                column[theirs] = -1 if name == "recent" else 0

    def forget_item(self, domain: int, row: int) -> None:
        """Forget the row's events, and the row as a recent item of users, because it is free or another item's now."""
        self._item_born[domain] = grown(self._item_born[domain], row + 1)
        self._item_born[domain][row] = self.added
        self._items[domain].add(row)

    def end_future(self, now: float) -> None:
        """Set every time after `now` (seconds) to `now`, of events and of recent items."""
        time, recent = self._events.time, self._events.recent
        wrong = np.flatnonzero((time > now) | (recent[:, :, 2] > now).any(1))
        time[wrong], recent[wrong] = np.minimum(time[wrong], now), capped(recent[wrong], now)
        self._slots.update(wrong.tolist())

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "added": self.added,
            "events": {
                name: Rows(self._slots, column[: len(self)])
                for name, column in self._events.columns().items()
            },
            "user_born": Rows(self._users, self._user_born),
            "item_born": {str(d): Rows(self._items[d], born) for d, born in enumerate(self._item_born)},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.added = int(state["added"])
        for written in (self._slots, self._users, *self._items):
            written.everything()
        for name, column in self._events.columns().items():
            column[: len(self)] = state["events"][name]
        self._user_born = state["user_born"].copy()
        self._item_born = [state["item_born"][str(d)].copy() for d in range(len(self._item_born))]
        self._held = np.zeros(0, np.int64)
        self._count(self._theirs(np.arange(len(self))), 1)


class Frequency:
    """Decayed counts of the learned items of one domain, and the candidates that are drawn by them."""

    def __init__(self, half_life: float) -> None:
        self.half_life = half_life
        """Half-life of a count, in events of the domain."""
        self.counts = np.zeros(0, np.float32)

    def add(self, rows: NDArray[np.int64]) -> None:
        """Count the items of events, (n,), after all earlier counts have decayed by n events."""
        if len(rows):
            self.counts = grown(self.counts, int(rows.max()) + 1)
            self.counts *= 0.5 ** (len(rows) / self.half_life)
            np.add.at(self.counts, rows, 1.0)

    def forget(self, row: int) -> None:
        """Forget the row: it is free, or stands for another item, from now on."""
        self.counts[row : row + 1] = 0.0

    def pool(
        self, positives: NDArray[np.int64], others: NDArray[np.int64], n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return candidate rows, (M,) ascending, and log Q of each, (M,).

        The candidates are the events' own items, `positives`, and `n` uniform draws from `others`. Q is the probability
        that an item is among them. Subtracting log Q from the logits makes the sampled softmax consistent (Bengio and
        Senecal 2008; Yi et al. 2019).

        >>> frequency = Frequency(half_life=100.0)
        >>> rows, log_q = frequency.pool(np.array([7]), np.array([7]), 1, np.random.default_rng(0))
        >>> print(rows, np.exp(log_q).round(3))  # one draw from one other: 1 - 1 / e, a Poisson count
        [7] [0.632]
        """
        drawn = others[rng.integers(0, max(len(others), 1), n if len(others) else 0)]
        rows = np.unique(np.concatenate([positives, drawn]))
        share = np.maximum(at(self.counts, rows), 1e-6) / max(float(self.counts.sum()), 1.0)
        expected = len(positives) * share + n / max(len(others), 1)
        return rows, np.log(-np.expm1(-expected)).astype(np.float32)
