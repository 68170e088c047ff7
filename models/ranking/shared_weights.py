"""Share how events move the ranker's weights, so that several learners have the weights of one that learns them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ranking.conditional_logit import ConditionalLogit
from models.ranking.ranker import Ranker
from models.sharing.shared_facts import Moves
from models.state.tracked_tables import Checkpointed


class SharedWeights(Checkpointed):
    """The weights of one of several learners. The moves of all are added up; step sizes stay each learner's own.

    A mean of the weights would be that of learners which each learn a part: the sum is what one learner does. Moves are
    rounded to 16 bits. What rounding leaves over goes with the next moves.
    """

    def __init__(self, ranker: Ranker, domains: list[str]) -> None:
        """domains: their names."""
        self._ranker, self._domains = ranker, domains
        self._told = {name: choice.weights.copy() for name, choice in self._choices()}
        """The weights without own moves that the others do not know."""

    def _choices(self) -> Iterator[tuple[str, ConditionalLogit]]:
        yield from zip(self._domains, self._ranker.choices, strict=True)
        for domain, choice in self._ranker.target_only.items():
            yield f"{self._domains[domain]} alone", choice

    def moved(self) -> Moves:
        """Return how own events moved the weights since the last call."""
        moves: Moves = {}
        for name, choice in self._choices():
            moves[name] = (choice.weights - self._told[name]).astype(np.float16)
            self._told[name] += moves[name]
        return moves

    def move(self, moves: Mapping[str, NDArray[np.float16]]) -> None:
        """Move the weights as another learner's events did. Weights of domains or signals unknown here stay."""
        for name, choice in self._choices():
            moved = moves.get(name)
            if moved is not None and moved.shape == choice.weights.shape and np.isfinite(moved).all():
                choice.weights += moved
                self._told[name] += moved

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Let events teach their users only: what they move otherwise is undone, because it was shared before."""
        before = [(choice, choice.weights.copy(), choice.squares.copy()) for _, choice in self._choices()]
        yield
        for choice, weights, squares in before:
            choice.weights[:], choice.squares[:] = weights, squares

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return dict(self._told)

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state, after the ranker has loaded its own. Weights that it lacks are known to all."""
        for name, choice in self._choices():
            held = state.get(name)
            known = choice.weights if held is None or held.shape != choice.weights.shape else held
            self._told[name] = known.copy()
