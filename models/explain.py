"""Why this item for this user: the parts of its score and rating, and the past items that speak for it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.covisitation import KINDS
from models.learner import Learner

WITH = KINDS.index("with")


class PastItem(NamedTuple):
    """An item the user had. `together`: how often others had both within a short sequence; `similarity`: cosine of
    the two texts, 0 without text."""

    domain: str
    item_id: str
    title: str
    together: float
    similarity: float


class Explanation(NamedTuple):
    """`score` is the sum of `why`, `rating` the unclipped sum of `rating_parts`. `rank`: place by score among all
    they could be recommended, 0 the best; None if the item is not recommendable to them now, for the reason `why_not`.
    `known`: whether the user has a row; another is as a new one. `domain_terms`: the domain's bias terms, named as
    they are published."""

    title: str
    rank: int | None
    why_not: str
    known: bool
    score: float
    why: dict[str, float]
    rating: float
    rating_parts: dict[str, float]
    domain_terms: dict[str, float]
    past: list[PastItem]


def explain(learner: Learner, user_id: str, item_id: str, domain_name: str, past: int = 5) -> Explanation:
    """Explains as of now. Raises KeyError, naming what is unknown, for a domain or an item without a row."""
    if domain_name not in learner.index:
        raise KeyError(f"domain {domain_name}: the state has {', '.join(learner.index)}")
    domain = learner.index[domain_name]
    catalogue = learner.catalogues[domain]
    item, user = catalogue.ids.get(item_id), learner.users.get(user_id)
    if item is None:
        raise KeyError(f"item {item_id}: not seen in {domain_name}")
    time = learner.newest[domain]
    affinity = learner.network.affinities(domain, [user])[0]
    ranked = learner.ranker.explain(domain, user, item, time, affinity)
    rank = learner.ranker.score(domain, user, item, item_id, time, affinity).rank
    parts = learner.rating_now(domain, user_id, item_id)
    return Explanation(
        catalogue.title_of[item],
        rank,
        "" if rank is not None else _why_not(learner, domain, user, item, item_id),
        user is not None,
        float(ranked.scores[0]),
        dict(zip(ranked.names, ranked.contributions[0].tolist(), strict=True)),
        parts.total,
        parts.named(),
        learner.rating.domain_terms(domain) | learner.network.domain_bias(domain),
        past_items(learner, user, domain, item)[:past],
    )


def _why_not(learner: Learner, domain: int, user: int | None, item: int, item_id: str) -> str:
    """Why the item is not recommendable to the user."""
    catalogue, what = learner.catalogues[domain], learner.domains[domain]
    if learner.history.has_seen(user, domain, item_id):
        return "they have had it"
    if not catalogue.permitted(item_id):
        return "the domain's allow or deny list leaves it out"
    if not catalogue.has_event[item]:
        return f'it has no item event, which catalogue = "{what.catalogue}" asks for'
    return "its item event says that it is not available, or removes it"


def past_items(learner: Learner, user: int | None, domain: int, item: int) -> list[PastItem]:
    """The user's recent items that have something to do with the item, the most telling first."""
    recent = learner.history.recent(user)
    visits = learner.ranker.statistics.visits
    slots = visits.slots_of(recent.domain, recent.row)
    only = np.zeros(learner.catalogues[domain].size, np.bool_)
    only[item] = True
    at, _, weights = visits.neighbours(domain, slots, only)
    together = np.zeros(len(recent.row))
    np.add.at(together, at, weights[:, WITH])
    unit = learner.catalogues[domain].directions.units[item]
    found: dict[tuple[int, int], PastItem] = {}
    for d, row, count in zip(recent.domain.tolist(), recent.row.tolist(), together.tolist(), strict=True):
        catalogue = learner.catalogues[d]
        similarity = float(catalogue.directions.units[row] @ unit)
        if (d, row) != (domain, item) and (count > 0 or similarity > 0):
            found[d, row] = PastItem(
                learner.domains[d].name, catalogue.id_of[row], catalogue.title_of[row], count, similarity
            )
    most = max((p.together for p in found.values()), default=0.0) or 1.0
    return sorted(found.values(), key=lambda p: -(p.together / most + max(p.similarity, 0.0)))
