"""Which of the candidates a user takes: a conditional logit over bent signals, learned online."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import Touched
from models.state.tracked_tables import LiveRows, Rows
from models.tables.catalogue import grown

BUCKETS = (1, 5, 20)
"""First counts of the history buckets after the empty one."""
GAPS = (60.0, 3600.0, 86400.0, 30 * 86400.0)
"""Bounds, in seconds, of the classes of time since the user's last event; one more for no event at all."""
BENDS = 4
"""Places where the slope of a signal may change."""


class Context(NamedTuple):
    """What selects the weights: the user's row, events in the domain, seconds since the last event anywhere."""

    user: int | None
    events: int
    gap: float | None

    def parts(self) -> list[int]:
        """Rows of `Choice.weights`: shared, history bucket, gap class."""
        gap = 0 if self.gap is None else 1 + int(np.searchsorted(GAPS, self.gap, side="right"))
        return [0, 1 + int(np.searchsorted(BUCKETS, self.events, side="right")), 2 + len(BUCKETS) + gap]


class Choice(LiveRows):
    """`P(i | candidates C) = exp(s_i) / Σ_{j∈C} exp(s_j)`, `s = w·x + Σ_b w_b·max(x - knot_b, 0)`.

    The score is linear in each signal between its knots, so a signal's part of it can be named. `w` adds up a
    shared part, one of the history bucket, one of the time since the user's last event, and one of the user (slopes
    at the origin only). The loss is `-log P(chosen)`, only on events whose item is in C. As C does not depend on
    the chosen item, this conditional likelihood is consistent (McFadden 1978); sampled negatives would need a
    correction. Steps are AdaGrad's (Duchi et al., 2011), with squares forgotten over 2,000 events so that weights can
    follow the stream (RMSprop; Hinton 2012); a user's own squares are kept.
    """

    def __init__(
        self,
        prior: NDArray[np.float64],
        knots: NDArray[np.floating[Any]],
        names: tuple[str, ...],
        *,
        rate: float = 0.02,
        forget: float = 0.9995,
    ) -> None:
        """prior: (signals,) shared weights before the first event; knots: (4, signals); names: of the signals."""
        self.rate, self.forget = rate, forget
        self.names = names
        self.written = Touched()
        """User rows."""
        self.knots = knots.astype(np.float32)
        self.signals = len(prior)
        self.weights = np.zeros((len(BUCKETS) + len(GAPS) + 4, self.signals * (1 + BENDS)))
        self.weights[0, : self.signals] = prior
        self._squares = np.ones_like(self.weights)
        self._no_slopes = np.zeros(self.signals, np.float32)
        self.users = np.zeros((0, 2, self.signals), np.float32)
        """(user rows, 2, signals): the user's slopes, and their squared gradients less one."""

    def bent(self, signals: NDArray[np.float64]) -> NDArray[np.float32]:
        """(C, signals) to (C, (1 + bends) · signals): each signal and its part beyond each knot."""
        x = signals.astype(np.float32)
        beyond = np.maximum(x[:, None] - self.knots, np.float32(0))
        return np.concatenate([x, beyond.reshape(len(x), BENDS * self.signals)], 1)

    def weights_of(self, context: Context) -> NDArray[np.float32]:
        """((1 + bends) · signals,): all parts added up."""
        total: NDArray[np.float64] = self.weights[context.parts()].sum(0)
        total[: self.signals] += self.slopes(context.user)
        return total.astype(np.float32)

    def slopes(self, user: int | None) -> NDArray[np.float32]:
        """(signals,): the user's own part, zeros for one without."""
        known = user is not None and user < len(self.users)
        own: NDArray[np.float32] = self.users[user, 0] if known else self._no_slopes
        return own

    def contributions(self, bent: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float64]:
        """(C, signals): what each signal adds to the score, with the weights of `weights_of`."""
        parts = bent.astype(np.float64) * weights
        total: NDArray[np.float64] = parts.reshape(len(bent), 1 + BENDS, self.signals).sum(1)
        return total

    def learn(
        self,
        bent: NDArray[np.float32],
        chosen: int,
        context: Context,
        weights: NDArray[np.float32] | None = None,
    ) -> None:
        """One step towards the chosen candidate. weights: what the candidates were scored with, if not `weights_of`."""
        scores = bent @ (self.weights_of(context) if weights is None else weights)
        p = np.exp(scores - scores.max())
        gradient = ((p @ bent) / p.sum() - bent[chosen]).astype(np.float64)
        if not np.isfinite(gradient).all():
            return
        parts = context.parts()
        self._squares[parts] = self.forget * self._squares[parts] + gradient**2
        self.weights[parts] -= self.rate * gradient / np.sqrt(self._squares[parts])
        if context.user is not None:
            self.users = grown(self.users, context.user + 1)
            slopes, squares = self.users[context.user]
            first = gradient[: self.signals]
            squares += (first**2).astype(np.float32)
            slopes -= (self.rate * first / np.sqrt(1.0 + squares)).astype(np.float32)

    def fresh(self) -> Choice:
        """The same weights without the users', and the large steps of a start."""
        copy = Choice(np.zeros(self.signals), self.knots, self.names, rate=self.rate, forget=self.forget)
        copy.weights = self.weights.copy()
        return copy

    def take_over(self, other: Choice) -> None:
        """Another's weights and steps; the users' slopes stay."""
        self.weights, self._squares = other.weights.copy(), other._squares.copy()

    def drop_user(self, row: int) -> None:
        """The row stands for another user from now on."""
        if row < len(self.users):
            self.users[row] = 0.0

    def live(self) -> dict[str, Any]:
        return {
            "names": list(self.names),
            "weights": self.weights,
            "squares": self._squares,
            "users": Rows(self.written, self.users),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up weights by signal name: a signal that the state does not know starts from its prior, and one that
        is gone is left out. Raises ValueError for a state without names that has another number of signals."""
        if "names" not in state and state["users"].shape[2] != self.signals:
            raise ValueError(f"weights of {state['users'].shape[2]} unnamed signals for {self.signals}")
        names = state.get("names", list(self.names))
        if tuple(names) == self.names:
            self.weights, self._squares = state["weights"].copy(), state["squares"].copy()
            self.users = state["users"].copy()
            return
        common = [name for name in self.names if name in names]
        here, there = ([own.index(name) for name in common] for own in (list(self.names), names))
        for mine, theirs in ((self.weights, state["weights"]), (self._squares, state["squares"])):
            by_signal = mine.reshape(len(mine), 1 + BENDS, self.signals)
            by_signal[:, :, here] = theirs.reshape(len(theirs), 1 + BENDS, len(names))[:, :, there]
        self.users = np.zeros((len(state["users"]), 2, self.signals), np.float32)
        self.users[:, :, here] = state["users"][:, :, there]
