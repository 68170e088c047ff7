"""Make arms of several domains that learned a stream, and load their states under another config."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.arms.arm_comparison import ArmComparison
from models.learning.micro_batches import micro_batches
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from tests.support.learners.described_items import put_described
from tests.support.learners.states import differences, read_back

START = 1_700_000_000_000
MOVIES, BOOKS, GAMES = Domain("movies"), Domain("books", "target"), Domain("games", "both")
SIZES: dict[str, Any] = {"users": 24, "items_per_domain": 40}


def events(domains: list[Domain], start: int, end: int) -> list[Interaction]:
    """Return clicks and ratings of 20 users and 45 items a domain, equal for any order of the domains.

    Some users have more events than are remembered, and some items lose their rows.
    """
    made, by_name = [], sorted(d.name for d in domains)
    for n in range(start, end):
        rng = np.random.default_rng([5, n])
        domain = by_name[int(rng.integers(len(by_name)))]
        user, item = f"u{int(20 * rng.random() ** 3)}", f"{domain[0]}{int(rng.integers(45))}"
        value = float(rng.integers(1, 6)) if rng.random() < 0.6 else None
        at = START + 60_000 * n
        made.append(
            Interaction(domain, "click" if value is None else "rating", user, item, at, value, None, ("a",))
        )
    return made


def describe(arms: ArmComparison, domains: list[Domain]) -> None:
    """Put items with text in the order of their names, so that the projection is fitted on the same vectors."""
    items = [
        Item(name, f"{name[0]}{n}", f"{name} {n % 7} tale {n % 5}", vectors={"image": (1.0, float(n))})
        for name in sorted(d.name for d in domains)
        for n in range(40)
    ]
    put_described(arms, items)


def learn(arms: ArmComparison, stream: list[Interaction], every: int = 48) -> None:
    for batch in micro_batches(stream, 8, 10**12):
        arms.learn(batch)
        if arms.full.waiting >= every:
            arms.end_batch()


def made(domains: list[Domain], **settings: Any) -> ArmComparison:
    return ArmComparison(domains, LearningSettings(**(SIZES | settings)))


def taught(domains: list[Domain], **settings: Any) -> ArmComparison:
    arms = made(domains, **settings)
    describe(arms, domains)
    learn(arms, events(domains, 0, 400))
    return arms


def saved(arms: ArmComparison) -> dict[str, Any]:
    """Return the state as it is read from disk."""
    return read_back(arms.state())


def taken_up(arms: ArmComparison, domains: list[Domain], **settings: Any) -> tuple[ArmComparison, list[str]]:
    other = made(domains, **settings)
    return other, other.load(saved(arms))


def goes_on(arms: ArmComparison, domains: list[Domain]) -> None:
    """Check that it learns, lists and saves, and that its state has the shape of one that was never moved."""
    learn(arms, events(domains, 400, 560))
    for domain in domains:
        users = [None, *(f"u{n}" for n in range(1, 20))]  # u0 has had all items
        for lines in arms.recommend(users, domain.name, 8):
            assert lines
            assert np.isfinite([line.score for line in lines]).all()
    again = made(domains)
    assert again.load(saved(arms)) == []
    assert differences(arms.state(), again.state()) == []
