"""Make a list diverse: maximal marginal relevance (Carbonell and Goldstein, 1998) on item vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def diversified(
    scores: NDArray[np.float64], vectors: NDArray[np.float32], k: int, diversity: float
) -> NDArray[np.int64]:
    """Return the positions of the k picks, in order. Each maximises (1 − d) · relevance − d · similarity.

    Relevance is the score scaled to 0 … 1 over the n. Similarity is the largest cosine with an earlier pick, 0 for an
    item without a vector. scores: (n,) in any order. vectors: (n, dim). diversity: d; 0 is the order of the scores.

    The second item is a copy of the first, so the third takes its place:

    >>> vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    >>> diversified(np.array([3.0, 2.0, 1.0]), vectors, k=2, diversity=0.5).tolist()
    [0, 2]
    """
    n = len(scores)
    if diversity <= 0.0 or n == 0:
        return np.argsort(-scores, kind="stable")[:k]
    spread = float(scores.max() - scores.min())
    relevance = (scores - scores.min()) / spread if spread > 0 else np.ones(n)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, 1.0)
    nearest = np.zeros(n)
    eligible = np.ones(n, np.bool_)
    picks: list[int] = []
    for _ in range(min(k, n)):
        value = np.where(eligible, (1.0 - diversity) * relevance - diversity * nearest, -np.inf)
        pick = int(value.argmax())
        picks.append(pick)
        eligible[pick] = False
        nearest = np.maximum(nearest, unit @ unit[pick])
    return np.array(picks, np.int64)
