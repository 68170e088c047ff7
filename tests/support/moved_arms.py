"""Arms of several domains that learned a stream, and states of them under another config."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from models.arm_comparison import Arms
from models.micro_batches import micro_batches
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from models.state.snapshot import joined, snapshot
from models.text.encoder import HashingEncoder
from tests.support.states import differences

START = 1_700_000_000_000
MOVIES, BOOKS, GAMES = Domain("movies"), Domain("books", "target"), Domain("games", "both")
SIZES: dict[str, Any] = {"users": 24, "items_per_domain": 40}


def events(domains: list[Domain], start: int, end: int) -> list[Interaction]:
    """Clicks and ratings of 20 users, some of whom do more than is remembered of them, and 45 items a domain, of which
    some lose their rows. The same in any order of the domains."""
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


def describe(arms: Arms, domains: list[Domain]) -> None:
    """Items with text, in the order of their names: the projection is fitted on the same vectors."""
    items = [
        Item(name, f"{name[0]}{n}", f"{name} {n % 7} tale {n % 5}", vectors={"image": (1.0, float(n))})
        for name in sorted(d.name for d in domains)
        for n in range(40)
    ]
    for item in items:
        arms.put_item(item)
    raw = HashingEncoder().encode([item.words() for item in items])
    arms.put_text_vectors({(i.domain, i.item_id): v for i, v in zip(items, raw, strict=True)}, idle=True)


def learn(arms: Arms, stream: list[Interaction], every: int = 48) -> None:
    for batch in micro_batches(stream, 8, 10**12):
        arms.learn(batch)
        if arms.full.waiting >= every:
            arms.end_batch()


def made(domains: list[Domain], **settings: Any) -> Arms:
    return Arms(domains, LearningSettings(**(SIZES | settings)))


def taught(domains: list[Domain], **settings: Any) -> Arms:
    arms = made(domains, **settings)
    describe(arms, domains)
    learn(arms, events(domains, 0, 400))
    return arms


def saved(arms: Arms) -> dict[str, Any]:
    """The state as it comes from disk."""
    taken = snapshot(arms.state())
    state: dict[str, Any] = joined(msgspec.msgpack.decode(taken.body), taken.tensors)
    return state


def taken_up(arms: Arms, domains: list[Domain], **settings: Any) -> tuple[Arms, list[str]]:
    other = made(domains, **settings)
    return other, other.load(saved(arms))


def goes_on(arms: Arms, domains: list[Domain]) -> None:
    """Learns, lists and saves as any other: its state has the shape of one that was never moved."""
    learn(arms, events(domains, 400, 560))
    for domain in domains:
        for lines in arms.recommend([None, *(f"u{n}" for n in range(1, 20))], domain.name, 8):  # u0 had all
            assert lines
            assert np.isfinite([line.score for line in lines]).all()
    again = made(domains)
    assert again.load(saved(arms)) == []
    assert differences(arms.state(), again.state()) == []
