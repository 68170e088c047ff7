"""Measure how well a frozen learner predicts later events: it scores them and learns none of them.

mse          loss of the rating part: mean squared error of the predicted rating, clipped to the domain's range
rmse         its root
accuracy     share of ratings that equal the prediction, rounded to the nearest rating seen while learning
ndcg_loss    loss of the ranking part, as in `prequential_error`: 1 − NDCG@10
ndcg@10      mean over events of 1 / log2(rank + 2), 0 from rank 10 on; the item is the only relevant one
recall@10    share of events whose item was among the ten best
coverage@10  share of the domain's recommendable items that were in any top ten

Ranks are among everything that could have been recommended to the user at that moment. An event is ranked (counted in
`ranked`) if its item could have been: in the catalogue, available, and not had by the user while learning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from consumers.evaluation.metrics import ndcg, on_grid
from consumers.evaluation.predictions import TOP, ArmOutcome
from models.learning.learner import Learner
from models.schema import Interaction

Figures = dict[str, float | int | None]
"""A domain's figures by name; None if no event could be measured."""
Array = NDArray[np.float64]


def grid_of(events: Sequence[Interaction], domain: str) -> Array:
    """Return the distinct ratings of a domain, ascending."""
    return np.unique([e.value for e in events if e.domain == domain and e.value is not None])


def measure(
    learner: Learner,
    events: Sequence[Interaction],
    grids: dict[str, Array],
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Figures]:
    """Return the figures of each of the learner's domains; the learner does not change."""
    counts = Counter(e.domain for e in events)
    outcomes = {name: ArmOutcome("full", 0, counts[name]) for name in learner.index}
    ratings = {name: np.full(counts[name], np.nan) for name in learner.index}
    at: Counter[str] = Counter()
    clock = learner.clock.copy()  # the learner's own clock stops at the last event it learned
    for n, event in enumerate(events):
        name = event.domain
        outcome, row = outcomes[name], at[name]
        at[name] += 1
        scored = learner.score(event, clock)
        clock.move(learner.index[name], event.timestamp / 1000)
        if event.value is not None and scored.prediction is not None:
            ratings[name][row], outcome.prediction[row] = event.value, scored.prediction
        if scored.rank is not None:
            outcome.rank[row] = scored.rank
            outcome.recommended.update(scored.top)
        if n % 200 == 0:
            progress(n)
    progress(len(events))
    for name, index in learner.index.items():
        catalogue = learner.catalogues[index]
        outcomes[name].catalogue = int(catalogue.recommendable[: catalogue.size].sum())
    return {name: _figures(outcomes[name], ratings[name], grids[name]) for name in learner.index}


def _figures(outcome: ArmOutcome, rating: Array, grid: Array) -> Figures:
    rated = np.isfinite(rating)
    prediction, rating = outcome.prediction[rated], rating[rated]
    rank = outcome.rank[outcome.rank >= 0]
    mse = _mean_or_none((prediction - rating) ** 2)
    gain = _mean_or_none(ndcg(rank))
    return {
        "n": len(outcome.rank),
        "rated": len(rating),
        "ranked": len(rank),
        "mse": mse,
        "rmse": None if mse is None else mse**0.5,
        "accuracy": _mean_or_none(on_grid(prediction, grid) == rating) if len(grid) else None,
        "ndcg_loss": None if gain is None else 1.0 - gain,
        "ndcg@10": gain,
        "recall@10": _mean_or_none(rank < TOP),
        "coverage@10": outcome.coverage if len(rank) else None,
    }


def _mean_or_none(values: Array | NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None
