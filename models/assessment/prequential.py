"""Test-then-learn error: each event is predicted before it is learned (Dawid, 1984; Gama et al., 2013)."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel

HALF_LIFE = 1000.0
FADE = 0.5 ** (1.0 / HALF_LIFE)


@kernel
def fold_values(values: NDArray[Any], weight: float, total: float) -> tuple[float, float]:
    """Return the weight and the total of a mean that fades by `FADE` at each of the values (n,)."""
    for value in values:
        weight = weight * FADE + 1.0
        total = total * FADE + value
    return weight, total


class Mean(msgspec.Struct):
    """A mean over all values and a fading one whose weight halves every `HALF_LIFE` values."""

    count: int = 0
    total: float = 0.0
    fading_weight: float = 0.0
    fading_total: float = 0.0

    def add(self, values: NDArray[np.float64]) -> None:
        """Add values (n,), the latest last."""
        self.count += len(values)
        self.total += float(values.sum())
        self.fading_weight, self.fading_total = fold_values(values, self.fading_weight, self.fading_total)

    def overall(self) -> float:
        return self.total / self.count if self.count else 0.0

    def fading(self) -> float:
        return self.fading_total / self.fading_weight if self.count else 0.0


RMSE = "rmse"
NDCG_LOSS = "ndcg_loss"
"""1 − NDCG@10 of the chosen item among all that could have been recommended; 0 is perfect."""


def ndcg_at_10(rank: int) -> float:
    """NDCG@10 of a single relevant item at `rank` (0 is the top): 1 / log2(rank + 2), 0 from rank 10 on."""
    return NDCG[rank] if rank < len(NDCG) else 0.0


NDCG = (1.0, 0.63092975, 0.5, 0.43067656, 0.38685281, 0.35620719, 0.33333333, 0.31546488, 0.30103, 0.28906483)
GAINS = np.append(NDCG, 0.0)


def ndcg_losses(rank: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return 1 - NDCG@10 of ranks (n,), 0 the best; nan where the rank is negative: not ranked."""
    loss: NDArray[np.float64] = np.where(rank >= 0, 1.0 - GAINS[np.minimum(rank, len(GAINS) - 1)], np.nan)
    return loss


class Prequential:
    """Errors by (domain, metric, arm). Squared errors go in for `rmse`; `error` takes the root."""

    def __init__(self) -> None:
        self._means: dict[tuple[str, str, str], Mean] = {}

    def add(self, domain: str, metric: str, arm: str, values: NDArray[np.float64]) -> None:
        """Count the losses of events, (n,), the latest last."""
        mean = self._means.get((domain, metric, arm))
        if mean is None:
            mean = self._means[domain, metric, arm] = Mean()
        mean.add(values)

    def measured(self) -> list[tuple[str, str, str]]:
        """(domain, metric, arm) of every error there is."""
        return list(self._means)

    def count(self, domain: str, metric: str, arm: str) -> int:
        mean = self._means.get((domain, metric, arm))
        return mean.count if mean else 0

    def error(self, domain: str, metric: str, arm: str, overall: bool = False) -> float | None:
        """The fading error (of all events with `overall`), or None before the first event."""
        mean = self._means.get((domain, metric, arm))
        if mean is None:
            return None
        value = mean.overall() if overall else mean.fading()
        return float(value**0.5) if metric == RMSE else value

    def gain(self, domain: str, metric: str, overall: bool = False) -> float | None:
        """What transfer brings: error of the target-only arm minus error of the full one."""
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
