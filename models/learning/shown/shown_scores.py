"""Say where shown items stand among the candidates of their users: the kernels of `ShownLearning`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.ranking.candidates import place_of

Index = NDArray[np.int64]


@kernel
def places_among(candidates: NDArray[np.int32], sizes: Index, at: Index, rows: Index) -> Index:
    """Return the places of item rows among the candidates of their question, (n,). All are candidates.

    candidates: (questions, room), of which the first `sizes`, (questions,), count. at, rows: (n,) question and item.

    >>> candidates, one = np.array([[7, 9, 0]], np.int32), np.array([0, 0])
    >>> places_among(candidates, np.array([2]), one, np.array([9, 7])).tolist()
    [1, 0]
    """
    found = np.empty(len(rows), np.int64)
    for n in range(len(rows)):
        found[n] = place_of(candidates[at[n]], sizes[at[n]], rows[n])
    return found


@kernel
def centre(
    scores: NDArray[np.float32], sizes: Index, at: Index, places: Index, x: NDArray[np.float64]
) -> None:
    """Write rate, slope and level of shown items into x, (n, 4).

    scores: (questions, room) of the candidates. at, places: (n,) question and place of the items. The ranker's scores
    compare candidates of one user, and mean nothing besides. So the level is that of log shares `s - log Σ exp(s)` over
    the candidates, minus that of a usual candidate.

    >>> x, scores = np.zeros((2, 4)), np.array([[1.0, 2.0, 0.5]], np.float32)
    >>> centre(scores, np.array([2]), np.array([0, 0]), np.array([0, 1]), x)
    >>> x.round(3).tolist()  # mean 1.5; log((e + e²) / 2) = 1.62; the third is no candidate
    [[1.0, -0.5, -0.12, 0.0], [1.0, 0.5, -0.12, 0.0]]
    """
    questions = len(sizes)
    mean, shown, usual = np.zeros(questions), np.zeros(questions), np.zeros(questions)
    for n in range(len(at)):
        mean[at[n]] += scores[at[n], places[n]]
        shown[at[n]] += 1
    for q in range(questions):
        mean[q] /= max(shown[q], 1)
        count, top, total = sizes[q], np.float32(-np.inf), 0.0
        for c in range(count):
            top = max(top, scores[q, c])
        for c in range(count):
            total += np.exp(scores[q, c] - top)
        if count > 0:
            usual[q] = top + np.log(total / count)
    for n in range(len(at)):
        q = at[n]
        x[n, 0], x[n, 1], x[n, 2] = 1.0, scores[q, places[n]] - mean[q], mean[q] - usual[q]
