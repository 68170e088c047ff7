"""Learn a stream of some hundred events with small learners, so that every kernel runs with the types of production."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from models.adaptation.challengers import CHALLENGERS
from models.arms.arm_comparison import ArmComparison
from models.arms.explanation import explain
from models.arms.fact_exchange import judge, outgoing
from models.learning.learner import VECTOR_DIM
from models.learning.shown.list_maker import Wish
from models.rating.events import RatedBatch
from models.rating.model import RatingModel
from models.schema import Domain, Impression, Interaction, Item, Kind
from models.settings import EventType, LearningSettings, RankerSettings
from models.sharing.packing import pack, unpack
from models.sharing.shared_facts import Place
from models.signals.covisitation import CoVisitation
from models.state.snapshot import snapshot
from models.tables.catalogue import Catalogue
from models.tables.tagged_lists import count_places, find_lists, replace_list
from models.tables.user_history import History
from models.text.encoder import HashingEncoder
from models.threads import use_one_thread

BATCHES = (1, 16, 5)
"""Sizes of the micro-batches, in turn. A single event takes other branches than several."""
USERS, ITEMS, EVENTS = 16, 60, 300
START = 1_700_000_000_000
DOMAINS = (Domain("source"), Domain("target", "target"))
TYPES = {"view": EventType("click", 0.5), "skip": EventType("skip")}
TITLES = ("red sea", "old road", "night king", "ghost star", "happy war")


def learn_it() -> None:
    """Learn, recommend, explain, forget, save and load."""
    use_one_thread()
    # A small catalogue is searched without an index, a large one with it. The few rows lead to evictions.
    for exact, explore in ((1_000, 0.0), (4, 1.0)):
        settings = LearningSettings(
            users=USERS - 4,
            items_per_domain=ITEMS - 4,
            exact_items=exact,
            events=TYPES,
            ranker=RankerSettings(explore=explore),
        )
        arms, other = (ArmComparison(DOMAINS, settings) for _ in range(2))
        _put_items(arms)
        _learn(arms)
        _share(arms, other)
        _ask(arms)
        again = ArmComparison(DOMAINS, settings)
        again.load(arms.state())
        again.full.history.pack()
        again.full.rating.taste.pack()
        snapshot(again.live())
        _ask(again)
    _hold_lists()


def learn_parts() -> None:
    """Use what stands by itself: the rating model, what users did, co-visits, and lists that are held.

    `learn_it` comes to these late, so that another process can compile them meanwhile.
    """
    use_one_thread()
    _learn_ratings()
    _note_visits()
    _hold_lists()


def _learn_ratings() -> None:
    """Learn ratings only: predict, learn, and fold what another model has learned."""
    domains, random = [d.name for d in DOMAINS], np.random.default_rng(0)
    model, other = (RatingModel(DOMAINS, VECTOR_DIM) for _ in range(2))
    rated = [event for event in _events() if event.value is not None]
    for size in BATCHES:
        some = rated[:size]
        events = RatedBatch(
            np.array([domains.index(event.domain) for event in some]),
            np.array([int(event.user[1:]) for event in some]),
            np.array([int(event.item[1:]) for event in some]),
            random.standard_normal((size, VECTOR_DIM)).astype(np.float32),
            np.array([event.value for event in some]),
            np.zeros(size),
            np.array([event.timestamp / 1000 for event in some]),
            [event.context for event in some],
        )
        lessons = model.no_lessons(size)
        model.predict_batch(events)
        model.learn_batch(events, lessons)
        model.learn_batch(events, both=False)
        other.fold_batch(events, lessons)
    model.taste.pack()


def _note_visits() -> None:
    """Note what users did, until their rings grow, and count the pairs of items that they had."""
    catalogues = [Catalogue(ITEMS, VECTOR_DIM) for _ in DOMAINS]
    history, visits = History(catalogues), CoVisitation(len(DOMAINS))
    for n in range(EVENTS):
        user, domain = n % 2, n // 2 % len(DOMAINS)
        item, _ = catalogues[domain].touch(f"i{n % ITEMS}")
        recent = history.recent(user)
        visits.add(domain, item, recent.domain, recent.row, float(n))
        history.add(user, domain, item, float(n))
    history.pack()


def _hold_lists() -> None:
    """Hold items on lists, as those who publish them do."""
    for tag in (np.uint16, np.uint32):
        held, places = np.zeros((2, 3), tag), np.zeros(5, np.int32)
        count_places(held, places)
        replace_list(held, 1, np.array([1, 2], np.int32), places)
        find_lists(held, places > 0, 0, 2, np.zeros(2, np.int64))


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


def _share(arms: ArmComparison, other: ArmComparison) -> None:
    """Let another learner fold what these have learned, as shards do."""
    batch = list(islice(_events(), arms.full.most_events))
    arms.learn(batch)
    facts = unpack(pack(outgoing(arms, batch, [Place("events", 0, n) for n in range(len(batch))])))
    judge(other, facts)
    other.full.fold(facts)


def _events() -> Iterator[Interaction]:
    """Yield clicks and ratings of both domains, some with a context, some items and users new."""
    random = np.random.default_rng(0)
    for n in range(EVENTS):
        user, item = int(random.integers(USERS)), int(ITEMS * random.random() ** 2)
        value = float(random.integers(1, 6)) if n % 3 else None
        yield Interaction(
            DOMAINS[n % 2].name,
            "skip" if value is None and n % 9 == 6 else _kind(value),
            f"u{user}",
            f"i{item}",
            START + 60_000 * n - (10**9 if n == EVENTS // 2 else 0),  # one comes late
            value,
            own_type="" if value is not None else ("", "view", "skip")[n % 9 // 3],
            context=("device=phone",) if n % 5 == 0 else (),
        )


def _show(arms: ArmComparison, user: str, domain: str) -> None:
    """Publish lists, and let one be shown and clicked."""
    ((lines, _), *_) = arms.lists([user, "nobody", None], domain, Wish(5, draw=START), 2)
    items, full = tuple(line.item_id for line in lines), arms.full
    shown = Impression(domain, user, items, START, START, event_id=f"{domain}/{user}")
    full.impressions.take(shown, full.catalogues[full.index[domain]])
    full.shown.learn()
    full.impressions.answer(
        Interaction(domain, "click", user, items[-1], START, impression=f"{domain}/{user}")
    )
    full.shown.learn()
    arms.lists([user, None], domain, Wish(5, draw=START + 1), 2)


def _kind(value: float | None) -> Kind:
    return "click" if value is None else "rating"


def _ask(arms: ArmComparison) -> None:
    """Read like the publisher and the commands, then forget a user and remove an item."""
    known = next(iter(arms.full.users))
    for domain in arms.full.index:
        _show(arms, known, domain)
        for value in (None, 4.0):
            arms.full.score(Interaction(domain, _kind(value), known, "i1", START, value))
        explain(arms, known, next(iter(arms.full.catalogues[arms.full.index[domain]].ids)), domain)
        arms.report(domain)
        arms.put_item(Item(domain, "i2", removed=True))
    arms.forget_user(known)
    arms.end_future(START / 1000)
    arms.full.rows.forget_evictions()
