"""Raw text vectors of any width to item vectors of one width: principal components, fitted once, then frozen."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

FIT_ITEMS = 5000
"""Enough raw vectors to fit on at once …"""
FIT_MINIMUM = 64
"""… and the fewest worth fitting on when no more are coming for now."""
NAMED_SCALE = 0.5
"""Length of a projected image or audio vector; text vectors come out between 0.3 and 0.9 long."""


class Projection:
    """Centred PCA to `dim` components. Until it is fitted, raw vectors wait in `pending`.

    Frozen after the fit: a moving basis would invalidate what every user's taste has learned.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.pending: dict[tuple[str, str], NDArray[np.float32]] = {}
        self._mean: NDArray[np.float32] | None = None
        self._components = np.zeros((0, dim), np.float32)

    @property
    def fitted(self) -> bool:
        return self._mean is not None

    def fit_if_ready(self, idle: bool) -> dict[tuple[str, str], NDArray[np.float32]]:
        """Fits when enough raw vectors wait (`idle`: no more are being encoded); gives back what waited."""
        waiting = len(self.pending)
        if self.fitted or waiting < (FIT_MINIMUM if idle else FIT_ITEMS):
            return {}
        from sklearn.decomposition import PCA  # noqa: PLC0415  (slow import)

        raw = np.stack(list(self.pending.values()))
        pca = PCA(min(self.dim, *raw.shape), random_state=0).fit(raw)
        self._mean = pca.mean_.astype(np.float32)
        self._components = np.zeros((raw.shape[1], self.dim), np.float32)
        self._components[:, : len(pca.components_)] = pca.components_.T
        projected = dict(zip(self.pending, self.project(raw), strict=True))
        self.pending = {}
        return projected

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
            "mean": self._mean,
            "components": self._components,
            "pending_keys": [list(key) for key in self.pending],
            "pending": np.stack(list(self.pending.values())) if self.pending else None,
        }

    def load(self, state: dict[str, Any]) -> None:
        self._mean = state["mean"]
        self._components = state["components"]
        rows = state["pending"] if state["pending"] is not None else ()
        self.pending = {(k[0], k[1]): row for k, row in zip(state["pending_keys"], rows, strict=True)}
