"""Make users who like items for what their texts say, and encoders that see the same or nothing of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.arms.arm_comparison import ArmComparison
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings

DOMAINS = (Domain("movies"), Domain("books", "target"))
ITEMS, USERS, TOPICS, WIDTH = 120, 24, 6, 40
START = 1_700_000_000_000
Vectors = dict[tuple[str, str], NDArray[np.float32]]


def meanings() -> NDArray[np.float32]:
    """Return what each item's text means, (domains · items, WIDTH): mostly its topic."""
    rng = np.random.default_rng(1)
    topics = rng.standard_normal((TOPICS, WIDTH))
    own = rng.standard_normal((len(DOMAINS) * ITEMS, WIDTH))
    both = topics[np.arange(len(own)) % TOPICS] + 0.4 * own
    return (both / np.linalg.norm(both, axis=1, keepdims=True)).astype(np.float32)


def encoded(kind: str) -> Vectors:
    """Return the vectors of an encoder: `old`; `other`, which sees the same and weighs it otherwise; `blind`."""
    of, rng = meanings(), np.random.default_rng(2)
    if kind == "other":
        of = of @ rng.standard_normal((WIDTH, 56)) + 0.3 * rng.standard_normal((len(of), 56))
        of = (of / np.linalg.norm(of, axis=1, keepdims=True)).astype(np.float32)
    elif kind == "blind":
        of = rng.standard_normal((len(of), 56)).astype(np.float32)
        of /= np.linalg.norm(of, axis=1, keepdims=True)
    keys = [(domain.name, f"{domain.name[0]}{n}") for domain in DOMAINS for n in range(ITEMS)]
    return dict(zip(keys, of, strict=True))


def new_arms() -> ArmComparison:
    return ArmComparison(DOMAINS, LearningSettings(users=64, items_per_domain=200))


def described(vectors: Vectors, named: Sequence[str] = ()) -> ArmComparison:
    """Return arms with all items and their vectors. named: items with a vector made elsewhere."""
    arms = new_arms()
    for domain, item in vectors:
        more = {"image": (1.0, 2.0)} if item in named else {}
        arms.put_item(Item(domain, item, title=f"Title of {item}", vectors=more), streamed=True)
    arms.put_text_vectors(vectors, idle=True)
    return arms


def learn(arms: ArmComparison, first: int, last: int) -> None:
    """Learn events in which each user likes two of six topics."""
    rng = np.random.default_rng([3, first])
    for start in range(first, last, 16):
        events = []
        for n in range(start, min(start + 16, last)):
            user, item, domain = int(rng.integers(USERS)), int(rng.integers(ITEMS)), int(rng.integers(2))
            topic = (domain * ITEMS + item) % TOPICS
            likes = topic in (user % TOPICS, (user + 1) % TOPICS)
            value = (5.0 if likes else 2.0) if n % 4 else None
            if value is None and not likes:
                continue
            name = DOMAINS[domain].name
            events.append(
                Interaction(
                    name, "click" if value is None else "rating", f"u{user}", f"{name[0]}{item}",
                    START + 1000 * n, value,
                )
            )  # fmt: skip
        arms.learn(events)
        if start % 64 == 0:
            arms.end_batch()


def lists(arms: ArmComparison, k: int = 10) -> dict[tuple[str, str], list[str]]:
    """Return every user's list in every domain."""
    users = [f"u{n}" for n in range(USERS)]
    return {
        (user, domain.name): [entry.item_id for entry in found]
        for domain in DOMAINS
        for user, found in zip(users, arms.recommend(users, domain.name, k), strict=True)
    }


def ratings(arms: ArmComparison) -> NDArray[np.float64]:
    """Return what every user's taste in text and the text prior say of every item, in units of the rating."""
    found = [
        arms.full.rating_now(d, f"u{user}", f"{domain.name[0]}{item}")
        for d, domain in enumerate(DOMAINS)
        for user in range(0, USERS, 4)
        for item in range(0, ITEMS, 3)
    ]
    return np.array([parts.text + parts.taste for parts in found])


def overlap(one: dict[tuple[str, str], list[str]], two: dict[tuple[str, str], list[str]]) -> float:
    """Return the mean share of a list's items that the other's list has."""
    shares = [len(set(one[key]) & set(two[key])) / max(len(one[key]), 1) for key in one]
    return float(np.mean(shares))
