"""Raw text vectors for a projection."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from models.text.projection import Key, Projection

DIM, LEADING = 32, 8


def projection(*domains: str) -> Projection:
    return Projection(DIM, LEADING, domains or ("a", "b"))


def waiting(of: Projection, domain: str) -> int:
    """Return the number of the domain's raw vectors that wait for a fit."""
    return sum(name.startswith(f"{domain}\t") for name in of.state()["waiting"]["names"])


def vectors(n: int, width: int = 100, seed: int = 0) -> np.ndarray:
    """Return points that vary most along the first axes."""
    scale = 0.9 ** np.arange(width)
    return (np.random.default_rng(seed).standard_normal((n, width)) * scale + 3.0).astype(np.float32)


def keyed(raw: Iterable[np.ndarray], domain: str = "a", start: int = 0) -> dict[Key, np.ndarray]:
    return {(domain, str(start + k)): row for k, row in enumerate(raw)}
