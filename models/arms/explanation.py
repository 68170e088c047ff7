"""Explain why a user gets an item: the parts of its score and rating, and the past items that led to it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.arms.arm_comparison import ArmComparison
from models.learning.learner import Learner
from models.settings import Arm
from models.signals.covisitation import KINDS

WITH = KINDS.index("with")


class PastItem(NamedTuple):
    """An item that the user had.

    together: how often users had both items within a short sequence. similarity: the cosine of the two texts, 0 without
    text.
    """

    domain: str
    item_id: str
    title: str
    together: float
    similarity: float


class Explanation(NamedTuple):
    """An item's score, rank and rating for one user, with their parts.

    arm: the arm that makes the user's list; `score`, `rank` and `past` are by this arm. listed: whether the item is on
    the list. rank: the item's place, 0 the best, where items that are not on the list follow it by score; None if the
    item may not be recommended to the user now. why_not: the reason for that. known: whether the user has a row; others
    count as new users. why: the parts of the score, which add up to it. rating: of the full learner, the unclipped sum
    of `rating_parts`. domain_terms: the domain's bias terms by their published names.
    """

    title: str
    arm: Arm
    listed: bool
    rank: int | None
    why_not: str
    known: bool
    score: float
    why: dict[str, float]
    rating: float
    rating_parts: dict[str, float]
    domain_terms: dict[str, float]
    past: list[PastItem]


def explain(
    arms: ArmComparison, user_id: str, item_id: str, domain_name: str, top: int = 50, past: int = 5
) -> Explanation:
    """Explain an item's place on the user's present list of `top` items, or why it is not on the list.

    past: the most past items to name. Raises KeyError for an unknown domain, and for an item without a row.
    """
    full = arms.full
    if domain_name not in full.index:
        raise KeyError(f"domain {domain_name}: the state has {', '.join(full.index)}")
    learner, (arm, only, target_only) = full, arms.serving(user_id, domain_name)
    domain = learner.index[domain_name]
    item, user = learner.catalogues[domain].ids.get(item_id), learner.users.get(user_id)
    if item is None:
        raise KeyError(f"item {item_id}: not seen in {domain_name}")
    lines = arms.recommend([user_id], domain_name, top)[0] if learner.domains[domain].recommend else []
    place = next((n for n, line in enumerate(lines) if line.item_id == item_id), None)
    rank: int | None = place
    if place is not None:
        score, why = lines[place].score, lines[place].why
    else:
        lister = learner.lister(domain, only, target_only)
        ranked = lister.one(user, item)
        score, why = float(ranked.scores[0]), dict(zip(ranked.names, ranked.contributions[0], strict=True))
        found = lister.place(user, item, score)
        lower = sum(line.score < score for line in lines)  # diversity has put these before the item
        rank = max(found + lower, len(lines)) if found is not None and lines else None
    of, row = full.index[domain_name], full.users.get(user_id)
    parts = full.rating_now(of, user_id, item_id)
    return Explanation(
        learner.catalogues[domain].title_of[item],
        arm,
        place is not None,
        rank,
        "" if rank is not None else _why_not(learner, domain, user, item, item_id),
        row is not None,
        score,
        {name: float(part) for name, part in why.items()},
        parts.total,
        parts.named(),
        full.rating.domain_terms(of) | full.network.domain_bias(of),
        past_items(learner, user, domain, item)[:past],
    )


def _why_not(learner: Learner, domain: int, user: int | None, item: int, item_id: str) -> str:
    """Return the reason why the item may not be recommended to the user."""
    catalogue, what = learner.catalogues[domain], learner.domains[domain]
    if not what.recommend:
        return "no lists are made of this domain (recommend = false)"
    if learner.history.has_seen(user, domain, item_id):
        return "they have had it"
    if not catalogue.permitted(item_id):
        return "the domain's allow or deny list leaves it out"
    if not catalogue.has_event[item]:
        return f'it has no item event, which catalogue = "{what.catalogue}" asks for'
    return "its item event says that it is not available, or removes it"


def past_items(learner: Learner, user: int | None, domain: int, item: int) -> list[PastItem]:
    """Return the user's recent items that users had together with the item, or whose text is like its text.

    The order is that of `together`, scaled to 0 … 1, plus `similarity`. domain, item: the index and the row.
    """
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
