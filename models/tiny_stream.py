"""Learn a stream of some hundred events with small learners, so that every kernel runs with the types of production."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from models.adaptation.challengers import CHALLENGERS
from models.arms.arm_comparison import ArmComparison
from models.arms.explanation import explain
from models.schema import Domain, Interaction, Item, Kind
from models.settings import LearningSettings
from models.state.snapshot import snapshot
from models.tables.chained_lists import Links, link_all, unlink
from models.text.encoder import HashingEncoder
from models.threads import use_one_thread

BATCHES = (1, 16, 5)
"""Sizes of the micro-batches, in turn. A single event takes other branches than several."""
USERS, ITEMS, EVENTS = 16, 60, 300
START = 1_700_000_000_000
DOMAINS = (Domain("source"), Domain("target", "target"))
TITLES = ("red sea", "old road", "night king", "ghost star", "happy war")


def learn_it() -> None:
    """Learn, recommend, explain, forget, save and load."""
    use_one_thread()
    # A small catalogue is searched without an index, a large one with it. The few rows lead to evictions.
    for exact in (1_000, 4):
        settings = LearningSettings(users=USERS - 4, items_per_domain=ITEMS - 4, exact_items=exact)
        arms = ArmComparison(DOMAINS, settings)
        _put_items(arms)
        _learn(arms)
        _ask(arms)
        again = ArmComparison(DOMAINS, settings)
        again.load(arms.state())
        snapshot(again.live())
        _ask(again)
    _chain()


def _chain() -> None:
    """Hold items on lists, as the publisher does."""
    held, following, preceding = (np.zeros((2, 3), np.int32) for _ in range(3))
    held[1] = 1, 2, 3
    links = Links(held, following, preceding, np.zeros(3, np.int32), np.zeros(3, np.int32))
    link_all(links)
    unlink(links, 1)


def _put_items(arms: ArmComparison) -> None:
    items = [Item(d.name, f"i{n}", TITLES[n % len(TITLES)]) for d in DOMAINS for n in range(ITEMS)]
    raw = HashingEncoder().encode([item.words() for item in items])
    wanted = [arms.put_item(item) for item in items]
    known = [(item.domain, item.item_id) for item in items]
    arms.put_text_vectors({key: raw[n] for n, key in enumerate(known) if wanted[n]}, idle=True)


def _learn(arms: ArmComparison) -> None:
    events, batches = _events(), 0
    while some := list(islice(events, BATCHES[batches % len(BATCHES)])):
        batches += 1
        arms.learn(some)
        if batches % 10 == 0:
            arms.end_batch()
        if batches == 10 and arms.loop is not None:
            for action, kind in CHALLENGERS.items():
                arms.loop.running["target", action] = kind(action, arms.full, 1)


def _events() -> Iterator[Interaction]:
    """Yield clicks and ratings of both domains, some with a context, some items and users new."""
    random = np.random.default_rng(0)
    for n in range(EVENTS):
        user, item = int(random.integers(USERS)), int(ITEMS * random.random() ** 2)
        value = float(random.integers(1, 6)) if n % 3 else None
        yield Interaction(
            DOMAINS[n % 2].name,
            _kind(value),
            f"u{user}",
            f"i{item}",
            START + 60_000 * n - (10**9 if n == EVENTS // 2 else 0),  # one comes late
            value,
            context=("device=phone",) if n % 5 == 0 else (),
        )


def _kind(value: float | None) -> Kind:
    return "click" if value is None else "rating"


def _ask(arms: ArmComparison) -> None:
    """Read like the publisher and the commands, then forget a user and remove an item."""
    known = next(iter(arms.full.users))
    for domain in arms.full.index:
        arms.recommend([known, "nobody", None], domain, 5, explain=2)
        for value in (None, 4.0):
            arms.full.score(Interaction(domain, _kind(value), known, "i1", START, value))
        explain(arms, known, next(iter(arms.full.catalogues[arms.full.index[domain]].ids)), domain)
        arms.report(domain)
        arms.put_item(Item(domain, "i2", removed=True))
    arms.forget_user(known)
    arms.end_future(START / 1000)
    arms.full.rows.forget_evictions()
