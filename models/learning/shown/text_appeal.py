"""Learn what texts say of the appeal of their items: the mean of an appeal before the item was shown."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

VARIANCE = 0.25
"""Prior variance of what a text says, in squared log odds, of all domains together."""
OWN_VARIANCE = 0.1
"""Prior variance of how far a domain's texts differ in this from those of all domains."""
KEPT = 0.9999
"""Factor of evidence at each impression: about the last 10,000 count."""
LONGEST = 0.5
"""The longest step of a weight."""
BOUND = 2.0
"""The most that a text says, in log odds."""


class TextAppeal:
    """A Poisson regression of clicks on text directions z, `rate = e · exp(β·z + β_d·z)`, learned online.

    β is common to all domains, and β_d is how domain d differs (Daumé 2007, "Frustratingly easy domain adaptation"). So
    a domain with little evidence leans on the others, as far as its texts are like theirs. Each batch is a step of
    Newton's method, as in `ClickModel`, but with the diagonal of the precision alone: the components of text directions
    are nearly uncorrelated, and whole matrices would cost more than all the rest of an impression. An item's appeal has
    a part that no text says, of variance 1/k: an item that was shown often tells little more of texts, so its clicks
    weigh `k / (k + E)`.

    >>> texts = TextAppeal(domains=1, dim=2)
    >>> z = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> for _ in range(300):  # items of the first text are clicked twice as often as expected, the others as expected
    ...     texts.learn(0, z, 0.1 * np.exp(texts.of(0, z)), np.array([0.2, 0.1]), np.ones(2), 0)
    >>> texts.of(0, z).round(1).tolist()  # log 2 = .7, less by the prior
    [0.6, 0.0]
    """

    def __init__(self, domains: int, dim: int) -> None:
        self.weights = np.zeros((domains + 1, dim))
        """(domains + 1, dim): β_d, then β."""
        self._prior = np.full((domains + 1, 1), 1.0 / OWN_VARIANCE)
        self._prior[-1] = 1.0 / VARIANCE
        self._told = np.zeros_like(self.weights)
        """(domains + 1, dim): evidence, which is added to the prior precision."""

    @property
    def known(self) -> bool:
        """Whether anything was learned."""
        return bool(self._told[-1].any())

    def of(self, domain: int, units: NDArray[np.floating[Any]]) -> Floats:
        """Return what texts say of the appeal of items, (n,). units: (n, dim) text directions."""
        said: Floats = np.minimum(
            np.maximum(units @ (self.weights[domain] + self.weights[-1]), -BOUND), BOUND
        )
        return said

    def learn(
        self, domain: int, units: NDArray[np.floating[Any]], rate: Floats, clicks: Floats, worth: Floats,
        impressions: int
    ) -> None:  # fmt: skip
        """Learn shows and clicks of n items. rate: (n,) expected clicks, with `of`. worth: (n,) `k / (k + E)`."""
        z = units.astype(np.float64)
        # Half a step each, because both move the sum.
        push, told = 0.5 * (worth * (clicks - rate)) @ z, (worth * rate) @ (z * z)
        for row in (domain, -1):
            self._told[row] = KEPT**impressions * self._told[row] + told
            self.weights[row] += np.clip(push / (self._prior[row] + self._told[row]), -LONGEST, LONGEST)

    def state(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {"weights": self.weights.copy(), "told": self._told.copy()}

    def load(self, state: dict[str, Any]) -> None:
        """Load a state. An empty one, or one of other domains, begins anew."""
        self.weights, self._told = np.zeros_like(self.weights), np.zeros_like(self._told)
        if state and state["weights"].shape == self.weights.shape:
            self.weights, self._told = state["weights"].copy(), state["told"].copy()
