"""Fill the large tables of learners directly: a stream of as many users would take hours."""

from __future__ import annotations

import numpy as np

from models.arms.arm_comparison import ArmComparison
from models.learning.learner import Learner
from models.rating.taste_steps import prior_variance
from models.schema import Domain, Interaction
from models.settings import LearningSettings
from models.signals.covisitation import KINDS, CoVisitation
from serving.contract import Keys
from serving.publication.publication_queue import PublicationQueue

ITEMS = 50_000
"""Items in a domain, by default."""
DOMAINS = ("movies", "books")
NEIGHBOURS, SEEN, TOP, POPULAR = 64, 10, 50, 1_000
START = 1_700_000_000.0


def made(users: int, items: int = ITEMS, lists: bool = False) -> tuple[ArmComparison, PublicationQueue]:
    """Return empty learners of two domains, with room for `users` users and for `items` items a domain.

    lists: whether lists are made for the source domain too.
    """
    domains = [Domain("movies", "source", recommend=lists), Domain("books", "target")]
    arms = ArmComparison(domains, LearningSettings(users=users, items_per_domain=items, compare=False))
    return arms, PublicationQueue(arms, Keys(), lambda: START)


def filled(users: int, items: int = ITEMS, lists: bool = False) -> tuple[ArmComparison, PublicationQueue]:
    """Return full learners: each user has ten seen items a domain, a taste, biases and a published list.

    Every item has 64 neighbours.
    """
    arms, queue = made(users, items, lists)
    full, rng = arms.full, np.random.default_rng(0)
    for d, name in enumerate(DOMAINS):
        catalogue = full.catalogues[d]
        for n in range(items):
            full.rows.item(d, f"{name[0]}{n}")
        catalogue.vectors[:] = rng.standard_normal(catalogue.vectors.shape, np.float32) / 8
        catalogue.has_vector[:items] = True
        catalogue.set_vector(0, catalogue.vectors[0].copy())
    ids = [f"user-{n}" for n in range(users)]
    for user in ids:
        full.users.touch(user)
    _fill_rating(full, users)
    _fill_history(full, users)
    _fill_visits(full.ranker.statistics.visits, items)
    for choice in full.ranker.choices:
        slopes = np.full((users, 2, choice.signals), 0.1, np.float16)
        choice.users.load(np.arange(users), slopes.view(np.uint16))
    _fill_lists(queue, users, items)
    return arms, queue


def _fill_rating(full: Learner, users: int) -> None:
    taste, cells = full.rating.taste, full.rating.cells
    cells.reserve_users(users)
    mean, covariance = np.full(taste.size, 0.1), np.diag([prior_variance(n) for n in range(taste.size)])
    triangle = covariance[np.tril_indices(taste.size)].astype(np.float32)
    taste.load(
        {
            "known": np.ones(users, np.bool_),
            "time": np.full(users, START),
            "mean": np.tile(mean.astype(np.float32), (users, 1)),
            "covariance": np.tile(triangle, (users, 1)),
        }
    )
    cells.arrays.user[:users], cells.arrays.user_domain[:users] = (0.1, 0.01), (0.1, 0.01)


def _fill_history(full: Learner, users: int) -> None:
    history = full.history
    places = users * len(DOMAINS) * SEEN
    recent = {
        "users": np.arange(users),
        "lengths": np.full(users, len(DOMAINS) * SEEN),
        "domain": np.ones(places, np.int8),
        "row": np.ones(places, np.int32),
        "time": np.ones(places),
        "seq": np.ones(places, np.uint32),
    }
    events = np.full((users, len(DOMAINS)), SEEN)
    history.load(history.state() | {"events": events, "recent": recent})
    hashes = (np.arange(users)[:, None] + np.arange(SEEN)).reshape(-1)
    for seen in history._seen:
        seen.load({"users": np.arange(users), "lengths": np.full(users, SEEN), "hashes": hashes})


def _fill_lists(queue: PublicationQueue, users: int, items: int) -> None:
    """Give every user a list of 50 of the most popular items."""
    last = min(POPULAR, items) - TOP
    starts = np.random.default_rng(3).integers(0, last, (users, 1), dtype=np.int32)
    held = starts + np.arange(1, TOP + 1, dtype=np.int32)
    queue.index.load({"on_lists": {"books": held}, "written_at": np.full(users, START)})


def _fill_visits(visits: CoVisitation, items: int) -> None:
    slots = len(DOMAINS) * items
    visits.used = slots
    visits.slot_of = [np.arange(1, items + 1, dtype=np.int32) + d * items for d in range(len(DOMAINS))]
    visits.domain_of = np.repeat(np.arange(len(DOMAINS), dtype=np.int8), items)
    visits.row_of = np.tile(np.arange(items, dtype=np.int32), len(DOMAINS))
    neighbours = np.random.default_rng(2).integers(0, slots, slots * NEIGHBOURS).astype(np.int32)
    at = (np.arange(slots)[:, None] * visits.lists.most + np.arange(NEIGHBOURS)).reshape(-1)
    weights = np.ones((len(at), len(KINDS)), np.float32)
    visits.lists.load({"at": at, "ids": neighbours, "weights": weights}, slots)
    visits.start = START


def some_events(users: int, count: int, rng: np.random.Generator, items: int = ITEMS) -> list[Interaction]:
    """Return ratings. Their users are uniform at random; their items follow a power law."""
    rows = np.minimum(rng.zipf(1.2, count) - 1, items - 1)
    return [
        Interaction(
            DOMAINS[n % 2], "rating", f"user-{u}", f"{DOMAINS[n % 2][0]}{i}", int(START * 1000) + n, 4.0
        )
        for n, (u, i) in enumerate(zip(rng.integers(0, users, count).tolist(), rows.tolist(), strict=True))
    ]
