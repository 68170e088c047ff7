"""Work with published vectors, without numpy: dot products, cosines, and the choice of diverse items."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from math import sqrt
from operator import mul

Vector = Sequence[float]


def decode_vector(data: bytes | None) -> Vector | None:
    """Return the numbers of FLOAT32 little-endian bytes; None if there are none.

    >>> list(decode_vector(bytes.fromhex("0000803f000000c0")))
    [1.0, -2.0]
    """
    if not data or len(data) % 4:
        return None
    numbers = array("f", data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def dot(left: Vector | None, right: Vector | None) -> float:
    """Return the dot product; 0 without one of the vectors, or if their lengths differ."""
    if left is None or right is None or len(left) != len(right):
        return 0.0
    return float(sum(map(mul, left, right)))


def unit(vector: Vector | None) -> Vector | None:
    """Return the vector with length 1; None without one."""
    length = sqrt(dot(vector, vector))
    return [value / length for value in vector] if vector is not None and length > 0 else None


def diverse(scores: Sequence[float], vectors: Sequence[Vector | None], k: int, diversity: float) -> list[int]:
    """Return the positions of the k picks, in order: maximal marginal relevance (Carbonell and Goldstein, 1998).

    Each pick maximises (1 − d) · relevance − d · similarity. Relevance is the score scaled to 0 … 1. Similarity is the
    largest cosine with an earlier pick, 0 for an item without a vector. diversity: d, 0 to 1; 0 is the order of scores.

    The second item is a copy of the first, so the third takes its place:

    >>> diverse([3.0, 2.0, 1.0], [[1, 0], [1, 0], [0, 1]], k=2, diversity=0.5)
    [0, 2]
    """
    n = len(scores)
    if n == 0:
        return []
    low, spread = min(scores), max(scores) - min(scores)
    relevance = [(score - low) / spread if spread > 0 else 1.0 for score in scores]
    units = [unit(vector) for vector in vectors]
    nearest = [0.0] * n
    left = list(range(n))
    picks: list[int] = []
    for _ in range(min(k, n)):
        pick = max(left, key=lambda at: ((1.0 - diversity) * relevance[at] - diversity * nearest[at], -at))
        picks.append(pick)
        left.remove(pick)
        for at in left:
            nearest[at] = max(nearest[at], dot(units[at], units[pick]))
    return picks
