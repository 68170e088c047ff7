"""Raw text vectors of any width to item vectors of one width: principal components, fitted once, then frozen.

A catalogue of a few texts cannot wait for more: it begins with as many components as it can tell apart, and those stay
what they are while later texts add others.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

FIT_ITEMS = 5000
"""Enough raw vectors to fit on at once …"""
FIT_MINIMUM = 64
"""… and the fewest to fit all components on when no more are coming for now."""
FIT_FIRST = 8
"""The fewest to begin with."""
LEAST_LENGTH = 1e-3
"""A direction along which the texts differ by less, all together, is rounding."""
NAMED_SCALE = 0.5
"""Length of a projected image or audio vector; text vectors come out between 0.3 and 0.9 long."""


class Projection:
    """Centred PCA to `dim` components. Until all are fitted, raw vectors wait in `pending`.

    Frozen after the fit: a moving basis would invalidate what every user's taste has learned. With fewer than
    `FIT_MINIMUM` texts only the components that were found are; the rest are zero for now.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.pending: dict[tuple[str, str], NDArray[np.float32]] = {}
        self.frozen = False
        self._waits = False
        """Whether a vector has come since the last fit."""
        self._mean: NDArray[np.float32] | None = None
        self._components = np.zeros((0, dim), np.float32)

    def wait(self, raw: dict[tuple[str, str], NDArray[np.float32]]) -> None:
        """More raw vectors; of a key the latest counts."""
        self.pending.update(raw)
        self._waits |= bool(raw)

    def fit_if_ready(self, idle: bool) -> dict[tuple[str, str], NDArray[np.float32]]:
        """Fits when enough raw vectors wait (`idle`: no more are being encoded); gives the vectors of those."""
        waiting = len(self.pending)
        if self.frozen or not self._waits or waiting < (FIT_FIRST if idle else FIT_ITEMS):
            return {}
        self._waits = False
        raw = np.stack(list(self.pending.values()))
        if self._mean is None:
            self._fit(raw)
        else:
            self._add_components(raw)
        projected = dict(zip(self.pending, self.project(raw), strict=True))
        if waiting >= FIT_MINIMUM:
            self.frozen, self.pending = True, {}
        return projected

    def _fit(self, raw: NDArray[np.float32]) -> None:
        from sklearn.decomposition import PCA  # noqa: PLC0415  (slow import)

        # n points span n - 1 directions
        pca = PCA(min(self.dim, len(raw) - 1, raw.shape[1]), random_state=0).fit(raw)
        self._mean = pca.mean_.astype(np.float32)
        self._components = np.zeros((raw.shape[1], self.dim), np.float32)
        self._components[:, : len(pca.components_)] = pca.components_.T

    def _add_components(self, raw: NDArray[np.float32]) -> None:
        """The principal directions of what the components so far leave over, orthogonal to them."""
        assert self._mean is not None
        used = int(self._components.any(axis=0).sum())
        left = raw - self._mean
        left -= left @ self._components @ self._components.T
        _, lengths, found = np.linalg.svd(left, full_matrices=False)
        found = found[lengths > LEAST_LENGTH][: self.dim - used]
        self._components[:, used : used + len(found)] = found.T

    def project(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, width) to (n, dim)."""
        assert self._mean is not None
        return np.asarray((raw - self._mean) @ self._components, np.float32)

    def project_named(self, vectors: dict[str, tuple[float, ...]]) -> NDArray[np.float32] | None:
        """Vectors made elsewhere, by a fixed random projection per name and width (Johnson and Lindenstrauss)."""
        if not vectors:
            return None
        total = np.zeros(self.dim, np.float32)
        for name, values in sorted(vectors.items()):
            vector = np.asarray(values, np.float64)
            largest = float(np.abs(vector).max())
            if largest > 0:
                vector /= largest  # first, else the squares of huge or tiny values leave the range of a float
                unit = (vector / np.linalg.norm(vector)).astype(np.float32)
                rng = np.random.default_rng([zlib.crc32(name.encode()), len(values)])
                matrix = rng.standard_normal((len(values), self.dim), np.float32) / np.sqrt(self.dim)
                total += NAMED_SCALE * unit @ matrix
        return total

    def state(self) -> dict[str, Any]:
        return {
            "frozen": self.frozen,
            "waits": self._waits,
            "mean": self._mean,
            "components": self._components,
            "pending_keys": [list(key) for key in self.pending],
            "pending": np.stack(list(self.pending.values())) if self.pending else None,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.frozen, self._waits = bool(state["frozen"]), bool(state["waits"])
        self._mean = state["mean"]
        self._components = state["components"]
        rows = state["pending"] if state["pending"] is not None else ()
        self.pending = {(k[0], k[1]): row for k, row in zip(state["pending_keys"], rows, strict=True)}
