"""Training events: how they are stored and replayed, and which candidates they compete with."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import Touched
from models.state.tracked_tables import Live, Rows
from models.tables.catalogue import grown

DAY = 86_400.0


def at(array: NDArray[Any], index: NDArray[np.int64]) -> NDArray[Any]:
    """array[index], and 0 for rows beyond its end."""
    inside = index < len(array)
    if inside.all():
        return array[index]
    out = np.zeros(len(index), array.dtype)
    out[inside] = array[index[inside]]
    return out


def used(recent: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n, L, 3) → (n, L): whether there is a recent item."""
    return np.asarray(recent[:, :, 0] >= 0)


def age(recent: NDArray[np.float64]) -> NDArray[np.float32]:
    """(n, L, 3) → (n, L) days before the newest: a user's vector depends on pauses, not on the clock."""
    time = recent[:, :, 2]
    days = np.maximum(time[:, :1] - time, 0.0) / DAY
    return np.where(used(recent), days, 0.0).astype(np.float32)


def capped(recent: NDArray[np.float64], now: float) -> NDArray[np.float64]:
    """(…, 3) domain, row, time: the same with no time after `now` (s)."""
    result: NDArray[np.float64] = np.minimum(recent, np.array([np.inf, np.inf, now]))
    return result


class Events(NamedTuple):
    """Training events, one row each. B events, L recent items of their user."""

    domain: NDArray[np.int64]  # (B,)
    user: NDArray[np.int64]  # (B,) user rows
    item: NDArray[np.int64]  # (B,) item rows of `domain`
    residual: NDArray[np.float32]  # (B,) nan for clicks
    time: NDArray[np.float64]  # (B,) seconds since the epoch
    recent: NDArray[np.float64]  # (B, L, 3) domain, row, time before the event, newest first; domain -1: none

    def columns(self) -> dict[str, NDArray[Any]]:
        return self._asdict()

    def take(self, index: NDArray[Any]) -> Events:
        return Events(**{name: column[index] for name, column in self.columns().items()})

    def joined(self, other: Events) -> Events:
        """The events of both, this one's first."""
        more = other.columns()
        return Events(**{name: np.concatenate([a, more[name]]) for name, a in self.columns().items()})

    @property
    def used(self) -> NDArray[np.bool_]:
        """(B, L): whether there is a recent item."""
        return used(self.recent)

    def had(self, domain: int, pool: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(B, M): which candidates a user had lately and so would not be shown; never the wanted one.

        pool: (M,) ascending item rows of `domain`. wanted: (B,) places in it.
        """
        b, near = np.nonzero(self.recent[:, :, 0] == domain)
        rows = self.recent[b, near, 1].astype(np.int64)
        place = np.minimum(np.searchsorted(pool, rows), len(pool) - 1)
        found = (pool[place] == rows) & (place != wanted[b])
        out = np.zeros((len(wanted), len(pool)), np.bool_)
        out[b[found], place[found]] = True
        return out


class ReplayBuffer(Live):
    """A ring of the latest `capacity` events, sampled uniformly: bounded memory, and replay follows drift.

    An event of domain -1 is of one that is gone, and never drawn.

    `sample` draws from the generator it is given; nothing here keeps a random state. An event's number is how
    many were added before it; a row that is given to someone else remembers the number from which it is theirs.
    """

    def __init__(self, capacity: int, length: int, domains: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.capacity = capacity
        self.added = 0
        self._user_born = np.zeros(0, np.int64)
        self._item_born = [np.zeros(0, np.int64) for _ in range(domains)]
        self._held = np.zeros(0, np.int64)
        """By user row: how many events it holds, so that a row without any need not be looked for."""
        self._slots, self._users = Touched(), Touched()
        self._items = [Touched() for _ in range(domains)]
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
        """Stores the events in order; the oldest make room. A batch above capacity keeps its latest."""
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
        """The number of the event in each slot that is filled."""
        return self.added - 1 - (self.added - 1 - slots) % self.capacity

    def _theirs(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """User rows of the events in these slots, but for those that are nobody's any more."""
        number = self._numbers(slots)
        users = self._events.user[slots]
        return users[number >= at(self._user_born, users)]

    def _count(self, users: NDArray[np.int64], step: int) -> None:
        if len(users):
            self._held = grown(self._held, int(users.max()) + 1)
            np.add.at(self._held, users, step)

    def sample(self, n: int, rng: np.random.Generator) -> Events:
        """`n` events, uniform with replacement, less those of rows that were given to someone else since."""
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
        """Events so far are not this row's any more: their places are emptied, and never drawn."""
        self._user_born = grown(self._user_born, row + 1)
        self._user_born[row] = self.added
        self._users.add(row)
        if row >= len(self._held) or not self._held[row]:
            return
        self._held[row] = 0
        theirs = np.flatnonzero(self._events.user[: len(self)] == row)
        self._slots.update(theirs.tolist())
        for name, column in self._events.columns().items():
            if name != "user":  # by their row's number they are known to be of nobody
                column[theirs] = -1 if name == "recent" else 0

    def forget_item(self, domain: int, row: int) -> None:
        """Events so far are not this row's any more, nor is it among what their users had."""
        self._item_born[domain] = grown(self._item_born[domain], row + 1)
        self._item_born[domain][row] = self.added
        self._items[domain].add(row)

    def end_future(self, now: float) -> None:
        """No event, and no item that a user had before it, is of a time after `now` (s)."""
        time, recent = self._events.time, self._events.recent
        wrong = np.flatnonzero((time > now) | (recent[:, :, 2] > now).any(1))
        time[wrong], recent[wrong] = np.minimum(time[wrong], now), capped(recent[wrong], now)
        self._slots.update(wrong.tolist())

    def live(self) -> dict[str, Any]:
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
    """Decayed counts of the learned items of one domain, and the candidates that are drawn with their help."""

    def __init__(self, half_life: float) -> None:
        self.half_life = half_life
        """In events of the domain."""
        self.counts = np.zeros(0, np.float32)

    def add(self, rows: NDArray[np.int64]) -> None:
        if len(rows):
            self.counts = grown(self.counts, int(rows.max()) + 1)
            self.counts *= 0.5 ** (len(rows) / self.half_life)
            np.add.at(self.counts, rows, 1.0)

    def forget(self, row: int) -> None:
        self.counts[row : row + 1] = 0.0

    def pool(
        self, positives: NDArray[np.int64], others: NDArray[np.int64], n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Candidate rows, distinct and ascending: the events' own items and `n` uniform draws from `others`.

        Beside them log Q, the log of the probability that each is in the sample: subtracted from the logits,
        it makes the sampled softmax consistent (Bengio and Senecal 2008; Yi et al. 2019).

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
