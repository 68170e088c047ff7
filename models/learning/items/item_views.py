"""Collect what is published of items: vector, title, tags, bias and popularity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.learning.learner import Learner
from models.tables.decayed_counts import HALF_LIVES

MONTH = list(HALF_LIVES).index("30d")


class ItemView(NamedTuple):
    """The published fields of an item.

    tags: separated by commas. bias: in units of the rating. popularity: events with a half-life of 30 days.
    """

    vector: NDArray[np.float32]
    title: str
    tags: str
    bias: float
    popularity: float


def item_views(learner: Learner, domain_name: str, item_ids: Sequence[str]) -> list[ItemView | None]:
    """Return the published fields of each item, None for an item that was removed or has no row."""
    domain = learner.index[domain_name]
    catalogue = learner.catalogues[domain]
    vectors = learner.network.item_vectors(domain)
    demand = learner.ranker.statistics.popularity[domain]
    found = [catalogue.ids.get(item_id) for item_id in item_ids]
    held = [row for row in found if row is not None and not learner.intake.removed(domain, row)]
    rows = np.array(held, np.int64)
    biases = learner.rating.item_biases(domain, rows, catalogue.vectors[rows])
    counts = demand.values(rows, learner.newest[domain])[:, MONTH]
    columns = zip(held, vectors[rows], biases.tolist(), counts.tolist(), strict=True)
    views = {
        row: ItemView(vector, catalogue.title_of[row], catalogue.tags_of[row], bias, count)
        for row, vector, bias, count in columns
    }
    return [None if row is None else views.get(row) for row in found]
