"""What ratings add to an item's text: how often it was rated, and how its vector differs from its text's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import Touched
from models.state.tracked_tables import LiveRows, Rows
from models.tables.catalogue import grown

SHIFT_WORTH = 12.0


class ItemRecord(LiveRows):
    """One domain's items by row. An item's vector is x_i = text_i + δ_i, with δ_i ~ N(0, 1 / SHIFT_WORTH).

    δ_i is learned from the item's raters, whose tastes θ_u are the inputs (variances only, V_i):
        δ_i += V_i θ_u e / S,   V_i -= (V_i θ_u)² / S.
    An item factor with the text as its prior: it starts as good as the text and needs no random start.
    Source: Agarwal and Chen (2009), "Regression-based latent factor models", in its assumed-density form.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.written = Touched()
        """Item rows."""
        self.logs, self.events = 0.0, 0
        self.count = np.zeros(0, np.int32)
        self.shift = np.zeros((0, width), np.float32)
        self.variance = np.zeros((0, width), np.float32)

    def popularity(self, item: int | None) -> float:
        """Half the log count above its mean over the domain's events so far; 0 before the first event."""
        if not self.events:
            return 0.0
        count = int(self.count[item]) if item is not None and item < len(self.count) else 0
        return (float(np.log1p(count)) - self.logs / self.events) / 2.0

    def delta(self, item: int | None) -> NDArray[np.float32]:
        """δ_i (k,); zeros for an unknown item."""
        unknown = item is None or item >= len(self.count)
        found: NDArray[np.float32] = np.zeros(self.width, np.float32) if unknown else self.shift[item]
        return found

    def claim(self, item: int) -> None:
        """Makes the row ready to learn. Call before `spread`."""
        if item >= len(self.count):
            for name in ("count", "shift", "variance"):
                setattr(self, name, grown(getattr(self, name), item + 1))
        if not self.count[item]:
            self.variance[item] = 1.0 / SHIFT_WORTH

    def spread(
        self, item: int, theta: NDArray[np.float64], theta_variance: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], float]:
        """V_i θ_u (k,) and the variance of θ_u · δ_i, the user's own uncertainty included."""
        variance = self.variance[item]
        gain: NDArray[np.float64] = variance * theta
        return gain, float(gain @ theta) + float(variance @ theta_variance)

    def learn(self, item: int, gain: NDArray[np.float64], error: float, innovation: float) -> None:
        self.shift[item] += gain * (error / innovation)
        self.variance[item] -= gain * gain / innovation
        self.logs += float(np.log1p(self.count[item]))
        self.events += 1
        self.count[item] += 1

    def drop_item(self, item: int) -> None:
        if item < len(self.count):
            self.count[item] = 0
            self.shift[item] = self.variance[item] = 0.0

    def live(self) -> dict[str, Any]:
        return {
            "logs": self.logs,
            "events": self.events,
            **{name: Rows(self.written, getattr(self, name)) for name in ("count", "shift", "variance")},
        }

    def load(self, state: dict[str, Any]) -> None:
        self.logs, self.events = float(state["logs"]), int(state["events"])
        for name in ("count", "shift", "variance"):
            setattr(self, name, state[name].copy())
