"""Measure the prequential error: each event is predicted before it is learned (Dawid, 1984; Gama et al., 2013)."""

from __future__ import annotations

from typing import Any

import msgspec


class Mean(msgspec.Struct):
    """Two means: one of all values, and a fading one in which weights halve every `HALF_LIFE` values."""

    count: int = 0
    total: float = 0.0
    fading_weight: float = 0.0
    fading_total: float = 0.0

    def add(self, value: float) -> None:
        """Add a value."""
        self.count += 1
        self.total += value
        self.fading_weight = self.fading_weight * FADE + 1.0
        self.fading_total = self.fading_total * FADE + value

    def overall(self) -> float:
        """Return the mean of all values; 0 before the first."""
        return self.total / self.count if self.count else 0.0

    def fading(self) -> float:
        """Return the fading mean; 0 before the first value."""
        return self.fading_total / self.fading_weight if self.count else 0.0


HALF_LIFE = 1000.0
FADE = 0.5 ** (1.0 / HALF_LIFE)

RMSE = "rmse"
NDCG_LOSS = "ndcg_loss"
"""Metric: 1 − NDCG@10 of the chosen item among all that could have been recommended; 0 is perfect."""


def ndcg_at_10(rank: int) -> float:
    """Return NDCG@10 of a single relevant item at `rank` (0 is the top): 1 / log2(rank + 2), 0 from rank 10 on."""
    return NDCG[rank] if rank < len(NDCG) else 0.0


NDCG = (1.0, 0.63092975, 0.5, 0.43067656, 0.38685281, 0.35620719, 0.33333333, 0.31546488, 0.30103, 0.28906483)


class Prequential:
    """Errors by (domain, metric, arm). For `rmse` add squared errors; `error` takes the root."""

    def __init__(self) -> None:
        self._means: dict[tuple[str, str, str], Mean] = {}

    def add(self, domain: str, metric: str, arm: str, value: float) -> None:
        """Add the loss of one event, measured before the event was learned."""
        mean = self._means.get((domain, metric, arm))
        if mean is None:
            mean = self._means[domain, metric, arm] = Mean()
        mean.add(value)

    def measured(self) -> list[tuple[str, str, str]]:
        """Return (domain, metric, arm) of every error that was measured."""
        return list(self._means)

    def count(self, domain: str, metric: str, arm: str) -> int:
        mean = self._means.get((domain, metric, arm))
        return mean.count if mean else 0

    def error(self, domain: str, metric: str, arm: str, overall: bool = False) -> float | None:
        """Return the fading error, or with `overall` that of all events; None before the first event."""
        mean = self._means.get((domain, metric, arm))
        if mean is None:
            return None
        value = mean.overall() if overall else mean.fading()
        return float(value**0.5) if metric == RMSE else value

    def gain(self, domain: str, metric: str, overall: bool = False) -> float | None:
        """Return the gain of transfer: error of the target-only arm minus error of the full one, or None."""
        full = self.error(domain, metric, "full", overall)
        alone = self.error(domain, metric, "target_only", overall)
        return None if full is None or alone is None else alone - full

    def state(self) -> dict[str, Any]:
        return {"\t".join(key): list(msgspec.structs.astuple(mean)) for key, mean in self._means.items()}

    def load(self, state: dict[str, Any]) -> None:
        self._means = {}
        for key, values in state.items():
            domain, metric, arm = key.split("\t")
            self._means[domain, metric, arm] = Mean(*values)
