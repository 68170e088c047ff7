"""Make lists of candidates, with what each signal adds to their scores: the kernels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.ranking.proposal import Case, Proposed, Weighing, weigh
from models.signals.registry import KNOTS
from models.signals.signal import Asked


class Listed(NamedTuple):
    """The best k candidates of n questions: item rows (n, k), -1 for none; scores (n, k); parts (n, k, signals)."""

    rows: NDArray[np.int32]
    scores: NDArray[np.float64]
    parts: NDArray[np.float64]


@kernel
def contribute(values: NDArray[np.float32], places: NDArray[np.int64], c: int, w: NDArray[np.float32],
               out: NDArray[np.float64]) -> float:  # fmt: skip
    """Write what each signal adds to the score of candidate c, (signals,), and return the sum."""
    signals, total = len(places), 0.0
    for f in range(signals):
        out[f] = 0.0
        if places[f] < 0:
            continue
        x = values[places[f], c]
        part = np.float64(w[f]) * x
        for b in range(len(KNOTS)):
            part += np.float64(w[(b + 1) * signals + f]) * max(x - KNOTS[b, f], np.float32(0))
        out[f] = part
        total += part
    return total


@kernel
def list_best(
    asked: Asked, wanted: NDArray[np.int64], proposed: Proposed, weighing: Weighing, out: Listed
) -> None:
    """Write the best candidates of each question with what each signal adds. out: written."""
    scores = np.empty(proposed.rows.shape[1], np.float32)
    w = np.empty(weighing.weights.shape[1], np.float32)
    out.rows[:] = -1
    for n in range(len(wanted)):
        count = proposed.sizes[n]
        weigh(Case(asked, wanted[n], proposed, n), weighing, scores, w)
        order = np.argsort(-scores[:count], kind="mergesort")
        for k in range(min(count, out.rows.shape[1])):
            total = contribute(proposed.values[n], weighing.places, order[k], w, out.parts[n, k])
            at = k
            # Scores are summed in single precision, contributions in double: near ties may change places.
            while at > 0 and out.scores[n, at - 1] < total:
                at -= 1
            if at < k:
                moved = out.parts[n, k].copy()
                for later in range(k, at, -1):
                    out.rows[n, later], out.scores[n, later] = (
                        out.rows[n, later - 1],
                        out.scores[n, later - 1],
                    )
                    out.parts[n, later] = out.parts[n, later - 1]
                out.parts[n, at] = moved
            out.rows[n, at], out.scores[n, at] = proposed.rows[n, order[k]], total


@kernel
def weigh_all(
    asked: Asked, wanted: NDArray[np.int64], proposed: Proposed, weighing: Weighing, out: NDArray[np.float32]
) -> None:
    """Write the scores of all candidates of each question, (n, room). wanted: (n,) places in `asked`."""
    w = np.empty(weighing.weights.shape[1], np.float32)
    for n in range(len(wanted)):
        weigh(Case(asked, wanted[n], proposed, n), weighing, out[n], w)


@kernel
def list_places(
    asked: Asked, wanted: NDArray[np.int64], proposed: Proposed, weighing: Weighing,
    places: NDArray[np.int64], out: Listed
) -> None:  # fmt: skip
    """Write lists of given candidates, in their order, with what each signal adds.

    wanted: (n,) places in `asked`. places: (n, k) of the candidates, -1 for none. out: written.
    """
    scores = np.empty(proposed.rows.shape[1], np.float32)
    w = np.empty(weighing.weights.shape[1], np.float32)
    out.rows[:] = -1
    for n in range(len(wanted)):
        weigh(Case(asked, wanted[n], proposed, n), weighing, scores, w)
        for k in range(places.shape[1]):
            c = places[n, k]
            if c >= 0:
                out.scores[n, k] = contribute(proposed.values[n], weighing.places, c, w, out.parts[n, k])
                out.rows[n, k] = proposed.rows[n, c]
