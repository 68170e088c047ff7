"""A fixed-size sample of past training events, so that a step learns from more than its micro-batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.network import at


class Events(NamedTuple):
    """Training events, one row each. B events, L recent items of their user."""

    domain: NDArray[np.int64]  # (B,)
    user: NDArray[np.int64]  # (B,) user rows
    item: NDArray[np.int64]  # (B,) item rows of `domain`
    residual: NDArray[np.float32]  # (B,) nan for clicks
    time: NDArray[np.float64]  # (B,) seconds since the epoch
    recent: NDArray[np.float64]  # (B, L, 3) domain, row, time before the event, newest first; domain -1: none
    stamp: NDArray[np.int64]  # (B,) the learner's event count when it happened

    def columns(self) -> dict[str, NDArray[Any]]:
        return self._asdict()

    def take(self, index: NDArray[Any]) -> Events:
        return Events(**{name: column[index] for name, column in self.columns().items()})

    def joined(self, other: Events) -> Events:
        """The events of both, this one's first."""
        more = other.columns()
        return Events(**{name: np.concatenate([a, more[name]]) for name, a in self.columns().items()})

    def surviving(self, user_born: NDArray[np.int64], item_born: list[NDArray[np.int64]]) -> Events:
        """Without events and recent items whose row was given to someone else since: stamp ≤ born."""
        good = self.stamp > at(user_born, self.user)
        recent = self.recent.copy()
        for d, born in enumerate(item_born):
            here = self.domain == d
            good[here] &= self.stamp[here] > at(born, self.item[here])
            b, near = np.nonzero(recent[:, :, 0] == d)
            gone = self.stamp[b] <= at(born, recent[b, near, 1].astype(np.int64))
            recent[b[gone], near[gone], 0] = -1
        return self._replace(recent=recent).take(good)


class ReplayBuffer:
    """A ring of the latest `capacity` events, sampled uniformly: bounded memory, and replay follows drift.

    `sample` draws from the generator it is given; nothing here keeps a random state.
    """

    def __init__(self, capacity: int, length: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.capacity = capacity
        self.added = 0
        self._events = Events(
            domain=np.zeros(capacity, np.int64),
            user=np.zeros(capacity, np.int64),
            item=np.zeros(capacity, np.int64),
            residual=np.zeros(capacity, np.float32),
            time=np.zeros(capacity, np.float64),
            recent=np.zeros((capacity, length, 3), np.float64),
            stamp=np.zeros(capacity, np.int64),
        )

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(self, events: Events) -> None:
        """Stores the events in order; the oldest make room. A batch above capacity keeps its latest."""
        n = len(events.user)
        kept = events.take(np.arange(max(n - self.capacity, 0), n))
        slots = (self.added + np.arange(n - len(kept.user), n)) % self.capacity
        values = kept.columns()
        for name, column in self._events.columns().items():
            column[slots] = values[name]
        self.added += n

    def sample(self, n: int, rng: np.random.Generator) -> Events:
        """`n` events, uniform with replacement; none while the buffer is empty."""
        return self._events.take(rng.integers(0, len(self), n if len(self) else 0))

    def state(self) -> dict[str, Any]:
        return {"added": self.added} | {
            name: column[: len(self)].copy() for name, column in self._events.columns().items()
        }

    def load(self, state: dict[str, Any]) -> None:
        self.added = int(state["added"])
        for name, column in self._events.columns().items():
            column[: len(self)] = state[name]
