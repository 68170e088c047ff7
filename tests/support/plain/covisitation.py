"""Keep co-visits in dictionaries, whose growth is never rescaled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

DAY, FADE, WINDOW = 86400.0, 0.8, 20
RATES = np.array([0.0, 1 / 60, 0.0, 0.0, 1 / 30]) * np.log(2) / DAY
"""next, next_60d, previous, with, with_30d"""
Counts = dict[int, NDArray[Any]]


class PlainVisits:
    """Counts of each slot's neighbours. A full list replaces the neighbour with the lowest `with_30d`."""

    def __init__(self, most: int, start: float = 0.0, kind: DTypeLike = np.float64) -> None:
        """start: time at which an event weighs 1. kind: dtype of weights; rounding decides among equals."""
        self.most, self.start, self.kind = most, start, kind
        self.places: dict[int, list[int]] = {}
        self.weights: dict[tuple[int, int], NDArray[Any]] = {}

    def visit(self, slot: int, latest: list[int], time: float) -> None:
        """latest: slots of the user's latest items, newest first."""
        growth, met = self._growth(time), set[int]()
        for k, other in enumerate(latest[:WINDOW]):
            if other >= 0 and other != slot and other not in met:
                fade = FADE**k
                self._seat(other, slot)
                self.weights[other, slot] += np.array([fade, fade, 0, 1, 1], self.kind) * growth
                self._seat(slot, other)
                self.weights[slot, other] += np.array([0, 0, fade, 1, 1], self.kind) * growth
            met.add(other)

    def _growth(self, time: float) -> NDArray[Any]:
        growth: NDArray[Any] = np.exp(RATES * (time - self.start)).astype(self.kind)
        return growth

    def _seat(self, slot: int, neighbour: int) -> None:
        held = self.places.setdefault(slot, [])
        if neighbour in held:
            return
        if len(held) < self.most:
            held.append(neighbour)
        else:
            weakest = min(held, key=lambda one: self.weights[slot, one][-1])
            held[held.index(weakest)] = neighbour
        self.weights[slot, neighbour] = np.zeros(len(RATES), self.kind)

    def counts(self, slot: int, time: float) -> Counts:
        """Return the counts of a slot's neighbours as of a time."""
        growth = self._growth(time)
        return {other: self.weights[slot, other] / growth for other in self.places.get(slot, [])}
