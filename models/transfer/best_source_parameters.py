"""Keep θ_s*, the domain-layer parameters of a source with the lowest error over its latest events."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BLOCK = 256
"""Source events whose mean loss judges one set of parameters. With fewer, noise would decide."""
WINDOW = 4096
"""W: latest source events that count."""


class BestSource:
    """Prequential loss of a source in blocks of at least 256 events, each with the parameters it began with.

    At most W/256 sets of parameters are kept. After a drift of the source losses cannot be compared: call `forget`.

    >>> source = BestSource()
    >>> for theta, loss in ((1.0, 0.5), (2.0, 0.1), (3.0, 0.4)):
    ...     source.add(torch.tensor([theta]), np.full(BLOCK, loss, np.float32))
    >>> source.best()  # the parameters with the lowest mean loss
    tensor([2.])
    """

    def __init__(self) -> None:
        self._theta: deque[Tensor] = deque()
        self._events: deque[int] = deque()
        self._loss: deque[float] = deque()
        """The newest block is open while it has fewer than 256 events."""

    def add(self, theta: Tensor, losses: NDArray[np.float32]) -> None:
        """Add losses (B,) of events, measured with θ_s = `theta` (P,) before they were learned."""
        if not len(losses):
            return
        if not self._events or self._events[-1] >= BLOCK:
            self._theta.append(theta.clone())
            self._events.append(0)
            self._loss.append(0.0)
        self._events[-1] += len(losses)
        self._loss[-1] += float(losses.sum())
        while len(self._events) > 1 and sum(self._events) - self._events[0] >= WINDOW:
            for part in (self._theta, self._events, self._loss):
                part.popleft()

    def best(self) -> Tensor | None:
        """Return θ_s*, (P,); None before the first full block."""
        means = [t / n for t, n in zip(self._loss, self._events, strict=True) if n >= BLOCK]
        return self._theta[means.index(min(means))] if means else None

    def forget(self) -> None:
        """Forget all parameters: after a drift, losses cannot be compared."""
        for part in (self._theta, self._events, self._loss):
            part.clear()

    def state(self) -> dict[str, Any]:
        """Return what `load` takes."""
        theta = torch.stack(list(self._theta)) if self._theta else torch.zeros(0, 0)
        return {"theta": theta, "events": list(self._events), "loss": list(self._loss)}

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self._theta = deque(state["theta"].clone())
        self._events, self._loss = deque(state["events"]), deque(state["loss"])
