"""Learn online which candidate a user takes: a conditional logit over signals with knots."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import finite, kernel
from models.ranking.half_floats import narrowed, widened
from models.ranking.user_slopes import Halves, UserSlopes
from models.state.dirty_keys import DirtyKeys
from models.state.tracked_tables import CheckpointedRows

Array = NDArray[np.float32]
Wide = NDArray[np.float64]
Index = NDArray[np.int64]

BUCKETS = (1, 5, 20)
"""First counts of the history buckets after the empty one."""
GAPS = (60.0, 3600.0, 86400.0, 30 * 86400.0)
"""Bounds, in seconds, of the classes of time since the user's last event. One more class is for no event at all."""
BENDS = 4
"""The number of knots of a signal: places where its slope may change."""
PARTS = len(BUCKETS) + len(GAPS) + 4
"""Rows of weights: one shared, one for each history bucket, one for each class of gap."""
FIRST_GAP = len(BUCKETS) + 2
RATE = 0.02
FORGET = 0.9995


class Signals(NamedTuple):
    """The signals of the candidates of one question.

    values: (columns, room). places: (signals,) the column of each signal, -1 for one that is left out. knots:
    (4, signals). size: the number of candidates.
    """

    values: Array
    places: Index
    knots: Array
    size: int


@kernel
def part_rows(events: int, gap: float) -> tuple[int, int]:
    """Return the rows of weights of the user's history bucket and class of gap.

    events: the number of the user's events in the domain. gap: seconds since their last event in any domain, negative
    without one.
    """
    bucket, rest = 1, FIRST_GAP
    for first in BUCKETS:
        bucket += events >= first
    if gap >= 0:
        rest += 1
        for bound in GAPS:
            rest += gap >= bound
    return bucket, rest


@kernel
def weights_of(weights: Wide, slopes: Halves, bucket: int, gap: int, out: Array) -> None:
    """Write `w = w_shared + w_bucket + w_gap`, and add the user's own slopes at the origin.

    weights: (PARTS, 5 · signals). slopes: (signals,) in half precision, or (0,) for none. out: (5 · signals,), the
    slope at the origin of each signal, then its change of slope at each knot.
    """
    for f in range(weights.shape[1]):
        total = weights[0, f] + weights[bucket, f] + weights[gap, f]
        if f < len(slopes):
            total += widened(slopes[f])
        out[f] = np.float32(total)


@kernel
def score(signals: Signals, w: Array, scores: Array) -> None:
    """Write `s_c = Σ_f (w_f x_cf + Σ_b w_fb max(x_cf - knot_fb, 0))` of each candidate c. w: (5 · signals,).

    >>> signals = Signals(np.array([[1, 3]], np.float32), np.array([0]), np.full((4, 1), 2, np.float32), size=2)
    >>> w, scores = np.array([1, 0.5, 0, 0, 0], np.float32), np.zeros(2, np.float32)
    >>> score(signals, w, scores)
    >>> print(scores)  # slope 1, and 1.5 above the knot at 2
    [1.  3.5]
    """
    values, places, knots, size = signals
    many = len(places)
    scores[:size] = 0
    for f in range(many):
        if places[f] < 0:
            continue
        x = values[places[f]]
        w0, w1, w2 = w[f], w[many + f], w[2 * many + f]
        w3, w4 = w[3 * many + f], w[4 * many + f]
        k1, k2, k3, k4 = knots[0, f], knots[1, f], knots[2, f], knots[3, f]
        none = np.float32(0)
        for c in range(size):
            v = x[c]
            scores[c] += (
                w0 * v + w1 * max(v - k1, none) + w2 * max(v - k2, none)
                + w3 * max(v - k3, none) + w4 * max(v - k4, none)
            )  # fmt: skip


@kernel
def rank_of(scores: Array, count: int, chosen: int) -> int:
    """Return the number of other candidates that score at least as high as the chosen one; 0 is the best rank.

    scores: (room,), of which the first `count` hold.
    """
    above, own = -1, scores[chosen]
    for c in range(count):
        above += scores[c] >= own
    return above


@kernel
def gradient(signals: Signals, chosen: int, scores: Array, out: Array) -> None:
    """Write the gradient of the loss, `∂/∂w -log P(chosen) = Σ_c (P_c - [c = chosen]) φ(x_c)`.

    scores: (room,) of the candidates; they are overwritten by `P_c - [c = chosen]`. out: (5 · signals,), as w.
    """
    values, places, knots, size = signals
    highest, total = scores[0], np.float32(0)
    for c in range(size):
        highest = max(highest, scores[c])
    for c in range(size):
        scores[c] = np.exp(scores[c] - highest)
        total += scores[c]
    for c in range(size):
        scores[c] /= total
    scores[chosen] -= np.float32(1)
    many, none = len(places), np.float32(0)
    out[:] = 0
    for f in range(many):
        if places[f] < 0:
            continue
        x = values[places[f]]
        k1, k2, k3, k4 = knots[0, f], knots[1, f], knots[2, f], knots[3, f]
        g0, g1, g2, g3, g4 = none, none, none, none, none
        for c in range(size):
            p, v = scores[c], x[c]
            g0 += p * v
            g1 += p * max(v - k1, none)
            g2 += p * max(v - k2, none)
            g3 += p * max(v - k3, none)
            g4 += p * max(v - k4, none)
        out[f], out[many + f], out[2 * many + f] = g0, g1, g2
        out[3 * many + f], out[4 * many + f] = g3, g4


@kernel
def step(weights: Wide, squares: Wide, slopes: Halves, bucket: int, gap: int, g: Array) -> None:
    """Take one AdaGrad step, `q ← 0.9995 q + g²,  w ← w - rate · g / √q`, in each row of weights that was in use.

    A gradient that is not finite is skipped. g: (5 · signals,). slopes: (2, signals) the user's slopes and the sums of
    their squared gradients in half precision, which learn by `s ← s - rate · g / √(1 + Σ g²)`; (2, 0) for none.
    """
    for f in range(len(g)):
        if not finite(g[f]):
            return
    for part in range(3):
        row = 0 if part == 0 else (bucket if part == 1 else gap)
        for f in range(len(g)):
            squares[row, f] = FORGET * squares[row, f] + np.float64(g[f]) ** 2
            weights[row, f] -= RATE * g[f] / np.sqrt(squares[row, f])
    for f in range(slopes.shape[1]):
        total = widened(slopes[1, f]) + g[f] * g[f]
        slope = widened(slopes[0, f]) - np.float32(RATE) * g[f] / np.sqrt(np.float32(1) + total)
        slopes[0, f], slopes[1, f] = narrowed(slope), narrowed(total)


class ConditionalLogit(CheckpointedRows):
    """`P(i | candidates C) = exp(s_i) / Σ_{j∈C} exp(s_j)`, `s = w·x + Σ_b w_b·max(x - knot_b, 0)`.

    The score is a sum over signals, so the contribution of each can be told. `w` is the sum of four parts: shared, of
    the history bucket, of the time since the user's last event, and of the user (slopes at the origin only). The loss
    is `-log P(chosen)`, on events whose item is in C. As C does not depend on the chosen item, this conditional
    likelihood is consistent (McFadden 1978); sampled negatives would need a correction. Steps are those of AdaGrad
    (Duchi et al., 2011). Squared gradients fade over 2,000 events, so that weights can follow the stream (RMSprop;
    Hinton 2012). Those of a user's own slopes do not fade.
    """

    def __init__(
        self,
        prior: Wide,
        knots: NDArray[np.floating[Any]],
        names: tuple[str, ...],
        written: DirtyKeys | None = None,
    ) -> None:
        """Begin with the prior as the shared weights.

        prior: (signals,). knots: (4, signals). names: of the signals. written: dirty user rows, shared with the rows'
        owner.
        """
        self.names = names
        self.written = written or DirtyKeys()
        self.knots = knots.astype(np.float32)
        self.signals = len(prior)
        self.weights = np.zeros((PARTS, self.signals * (1 + BENDS)))
        self.weights[0, : self.signals] = prior
        self.squares = np.ones_like(self.weights)
        self.users = UserSlopes(self.signals)

    def fresh(self) -> ConditionalLogit:
        """Return a copy of the shared weights without users' slopes, which takes large steps as at the start."""
        copy = ConditionalLogit(np.zeros(self.signals), self.knots, self.names)
        copy.weights = self.weights.copy()
        return copy

    def take_over(self, other: ConditionalLogit) -> None:
        """Take the weights and step sizes of another model. The users' slopes stay."""
        self.weights, self.squares = other.weights.copy(), other.squares.copy()

    def drop_user(self, row: int) -> None:
        """Forget the row: it is free, or stands for another user, from now on."""
        self.users.drop(row)

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "names": list(self.names),
            "weights": self.weights,
            "squares": self.squares,
            "slopes": self.users.live(self.written),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up weights by the signals' names.

        A signal that the state does not know starts from its prior. A signal that is gone is left out. Raises
        ValueError for a state without names that has another number of signals.
        """
        users, values = _slopes(state)
        if "names" not in state and values.shape[2] != self.signals:
            raise ValueError(f"weights of {values.shape[2]} unnamed signals for {self.signals}")
        names = state.get("names", list(self.names))
        if tuple(names) == self.names:
            self.weights, self.squares = state["weights"].copy(), state["squares"].copy()
            self.users.load(users, values)
            return
        common = [name for name in self.names if name in names]
        here, there = ([own.index(name) for name in common] for own in (list(self.names), names))
        for mine, theirs in ((self.weights, state["weights"]), (self.squares, state["squares"])):
            by_signal = mine.reshape(len(mine), 1 + BENDS, self.signals)
            by_signal[:, :, here] = theirs.reshape(len(theirs), 1 + BENDS, len(names))[:, :, there]
        slopes = np.zeros((len(values), 2, self.signals), np.uint16)
        slopes[:, :, here] = values[:, :, there]
        self.users.load(users, slopes)


def _slopes(state: dict[str, Any]) -> tuple[Index, Halves]:
    """Return users and their slopes. An early state has those of all user rows, in single precision."""
    if "slopes" in state:
        return state["slopes"]["users"], state["slopes"]["values"]
    users = np.flatnonzero(state["users"].any((1, 2)))
    return users, state["users"][users].astype(np.float16).view(np.uint16)
