"""Choose the examination curve: learned from the log's own lists, the prior, or given."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.errors import Stop
from models.exposure.examination import RANKS, Examination, fitted, influence, prior_curve

Floats = NDArray[np.float64]

FORMS = "learned, prior, flat, or numbers from place 1 on, such as 1,0.7,0.5"


class Curve(NamedTuple):
    """The examination of each rank, (RANKS,), 1 at the first. source: in words, where it is from."""

    values: Floats
    source: str
    pairs: Floats | None = None
    """What it was fitted to, (RANKS, RANKS), if it was learned from this log."""

    def errors(self, scores: Floats) -> Floats | None:
        """Return what each user adds to its error, (users, RANKS); None if it is taken as it is. See `influence`."""
        return None if self.pairs is None else influence(scores, self.pairs, self.values)


def parse_curve(text: str) -> Curve | None:
    """Return the curve that `--curve` gives; None: it is to be learned. Raises Stop."""
    if text == "learned":
        return None
    if text == "prior":
        return Curve(prior_curve(), "the prior, 1 / place^0.7")
    if text == "flat":
        return Curve(np.ones(RANKS), "flat, as given")
    try:
        values = np.array([float(word) for word in text.split(",")])
    except ValueError as error:
        raise Stop(f"--curve {text}: write {FORMS}") from error
    if len(values) > RANKS or not ((values > 0) & (values < inf)).all():
        raise Stop(
            f"--curve {text}: write up to {RANKS} numbers above 0, of which the last holds further down"
        )
    deeper = np.full(RANKS - len(values), values[-1])
    return Curve(np.concatenate([values, deeper]) / values[0], "given")


def learned_curve(examination: Examination) -> Curve:
    """Return the curve that swaps tell; the prior if they tell too little."""
    if not examination.identified:
        return Curve(
            prior_curve(),
            f"the prior, 1 / place^0.7: the log has {examination.clicks:.0f} clicks on pairs of neighbours that "
            "could have stood the other way round, too few to learn it; the intervals know nothing of its error",
        )
    pairs = examination.pooled_pairs
    return Curve(fitted(pairs), "learned from this log", pairs)
