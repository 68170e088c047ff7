"""Make a learner of three domains, and a fixed stream of events, items and texts."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.learning.learner import Learner
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from tests.support.learners.states import read_back

DOMAINS = [
    Domain("movies", "source"),
    Domain("books", "target", (0.0, 10.0)),
    Domain("games", "both", catalogue="required"),
]
START = 1_700_000_000_000
WIDTH = 80  # of the raw text vectors


def learner(seed: int = 0, users: int = 64, items: int = 60) -> Learner:
    return Learner(DOMAINS, LearningSettings(users=users, items_per_domain=items, seed=seed))


def raw(n: int) -> np.ndarray:
    """Return a raw vector for the n-th text, as an encoder would."""
    return np.random.default_rng(n).standard_normal(WIDTH).astype(np.float32)


def item(n: int, domain: str = "movies", **fields: Any) -> Item:
    return Item(domain, f"{domain[0]}{n}", title=f"Title {n}", **fields)


def event(n: int, users: int = 30, items: int = 40, context: bool = True) -> Interaction:
    """Return the n-th event of a fixed stream."""
    rng = np.random.default_rng([7, n])
    domain = DOMAINS[int(rng.integers(3))]
    low, high = domain.rating_range
    rating = rng.random() < 0.6
    return Interaction(
        domain.name,
        "rating" if rating else "click",
        f"u{int(rng.integers(users))}",
        f"{domain.name[0]}{int(rng.integers(items))}",
        START + 1000 * n - int(rng.integers(3)) * 7000,  # some come late
        float(rng.integers(low, high, endpoint=True)) if rating else None,
        context=("c1", "c2")[: int(rng.integers(3))] if context else (),
    )


def describe(model: Learner, items: int = 40) -> None:
    """Give the learner every item of every domain, and the text vectors of most."""
    for domain in DOMAINS:
        for n in range(items):
            model.put_item(item(n, domain.name, vectors={"image": (1.0, float(n))} if n % 5 == 0 else {}))
    model.put_text_vectors(
        {(d.name, f"{d.name[0]}{n}"): raw(n) for d in DOMAINS for n in range(items) if n % 4}, idle=True
    )


def feed(model: Learner, start: int, end: int, step: int = 32, size: int = 8, **stream: Any) -> list[Any]:
    """Learn these events of the stream in micro-batches of `size`; return the predictions made before each event."""
    predicted = []
    for n in range(start, end, size):
        facts = model.learn([event(k, **stream) for k in range(n, min(n + size, end))])
        predicted += [(facts.of(k).prediction, facts.of(k).rank) for k in range(len(facts))]
        if (n + size) % step == 0:
            model.end_batch()
    return predicted


def restored(state: dict[str, Any], **settings: Any) -> Learner:
    """Return a new learner with a state that went through the encoding of a checkpoint."""
    model = learner(**settings)
    model.load(read_back(state))
    return model


def cache(path: str) -> bool:
    """Return the cached item vectors of the network, which follow from the rest of the state."""
    return (path.startswith(".network.vectors.") and path.rsplit(".", 1)[-1] in ("_vectors", "stale")) or (
        ".stale." in path
    )


def trained() -> Learner:
    """Return a learner that has learned 200 events."""
    model = learner()
    describe(model)
    feed(model, 0, 200)
    return model
