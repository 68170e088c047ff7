"""Own types of events: weighted clicks count as much as they are worth, skips only lower, weights follow evidence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.arms.arm_comparison import ArmComparison
from models.learning.followers import by_followers
from models.schema import Domain, Interaction, Kind
from models.settings import EventType, LearningSettings
from models.signals.popularity import Popularity
from models.tables.decayed_counts import DAY, EVER, HALF_LIVES

T0 = 1_700_000_000_000
TYPES = {
    "view": EventType("click", 0.2),
    "purchase": EventType("click", 3.0),
    "skip": EventType("skip"),
}


def arms(types: dict[str, EventType] | None = None, domains: int = 1) -> ArmComparison:
    names = [Domain(f"d{n}") for n in range(domains)]
    return ArmComparison(names, LearningSettings(users=300, items_per_domain=300, events=types or {}))


def event(user: str, item: str, n: int, own: str = "", kind: Kind = "click") -> Interaction:
    return Interaction("d0", kind, user, item, T0 + 1000 * n, own_type=own)


def learn(learner: ArmComparison, events: list[Interaction], batch: int = 4) -> None:
    for at in range(0, len(events), batch):
        learner.learn(events[at : at + batch])


def count(learner: ArmComparison, item: str, half_life: str = "ever") -> float:
    full = learner.full
    row = full.catalogues[0].ids.get(item)
    assert row is not None
    return full.ranker.statistics.popularity[0].count(half_life, row, full.newest[0])


def flat(state: Any) -> list[Any]:
    if isinstance(state, dict):
        return [x for key in sorted(state) for x in flat(state[key])]
    if isinstance(state, list | tuple):
        return [x for part in state for x in flat(part)]
    return [state.tobytes() if isinstance(state, np.ndarray) else repr(state)]


STREAM = [event(f"u{n % 7}", f"i{(n * n) % 11}", n) for n in range(120)]


def test_types_that_no_event_has_change_nothing() -> None:
    """Plain clicks are learned to the same bits with and without `[events]`."""
    without, unused = arms(), arms(TYPES)
    learn(without, STREAM)
    learn(unused, STREAM)
    states = [learner.state()["full"]["ranker"] for learner in (without, unused)]
    assert states[1].pop("events")["names"] == ["view", "purchase"]
    assert flat(states[0]) == flat(states[1])
    assert without.recommend(["u1", None], "d0", 5) == unused.recommend(["u1", None], "d0", 5)


def test_a_type_of_weight_one_is_a_click() -> None:
    """What a click teaches and what `as = "click", weight = 1` teaches are the same bits at first."""
    plain, typed = arms(), arms({"open": EventType("click", 1.0)})
    learn(plain, STREAM[:8])
    learn(typed, [event(e.user, e.item, n, "open") for n, e in enumerate(STREAM[:8])])
    popularity = [learner.full.ranker.statistics.popularity[0].state() for learner in (plain, typed)]
    assert flat(popularity[0]) == flat(popularity[1])


def test_clicks_count_as_their_weight() -> None:
    """A purchase raises the demand for its item by three clicks, a view by a fifth of one."""
    learner = arms(TYPES)
    learn(learner, [event("a", "i", 0), event("b", "j", 1, "view"), event("c", "k", 2, "purchase")])
    assert [round(count(learner, item), 6) for item in "ijk"] == [1.0, 0.2, 3.0]
    top = learner.recommend([None], "d0", 3)[0]
    assert next(x.item_id for x in top) == "k"


def test_a_purchase_weighs_more_than_a_view_among_co_visits() -> None:
    """After i, some users buy j, as many view k: who has i gets more of j's count."""
    learner = arms(TYPES)
    for n in range(6):
        learn(learner, [event(f"u{n}", "i", 10 * n)])
        learn(learner, [event(f"u{n}", "jk"[n % 2], 10 * n + 1, ("purchase", "view")[n % 2])])
    full = learner.full
    visits = full.ranker.statistics.visits
    rows = {item: full.catalogues[0].ids.get(item) for item in "ijk"}
    slot = visits.slots(0, np.array([rows["i"]]))
    _, found, counts = visits.neighbours(0, slot, np.ones(300, np.bool_))
    by_row = dict(zip(found.tolist(), counts[:, 0].tolist(), strict=True))
    assert by_row[rows["j"]] == pytest.approx(9.0, rel=0.2)  # weights are learned meanwhile
    assert by_row[rows["k"]] == pytest.approx(0.6, rel=0.2)


def skips(item: str, users: int, begin: int) -> list[Interaction]:
    return [event(f"s{n}", item, begin + n, "skip", "skip") for n in range(users)]


def test_a_skip_lowers_and_never_raises() -> None:
    """It lowers the demand for its item, counts nowhere as a choice, and the user does not get the item again."""
    learner = arms(TYPES)
    learn(learner, STREAM)
    before = {name: count(learner, "i1", name) for name in HALF_LIVES}
    history = learner.full.history.events.copy()
    errors = learner.prequential.state()
    learn(learner, skips("i1", 5, 120), 5)
    for name, was in before.items():
        assert 0 < count(learner, "i1", name) < was
    assert history.sum() == learner.full.history.events.sum()
    assert learner.prequential.state() == errors
    row = learner.full.users.get("s0")
    assert learner.full.history.has_seen(row, 0, "i1")
    assert all(x.item_id != "i1" for x in learner.recommend(["s0"], "d0", 20)[0])


def test_a_skip_of_an_unknown_item_makes_nothing_of_it() -> None:
    """Nothing was counted of it, and nothing is."""
    learner = arms(TYPES)
    learn(learner, [event("a", "i", 0), *skips("new", 3, 1)])
    assert count(learner, "new") == 0.0
    assert learner.full.ranker.statistics.popularity[0].held == 1


def test_skips_lower_the_score_of_what_the_user_is_shown() -> None:
    """A user who skips popular items again and again gets popularity weighed less than one who does not."""
    learner = arms(TYPES)
    learn(learner, STREAM)
    learn(learner, [event("calm", "i0", 130), event("cross", "i0", 131)])
    popular = [x.item_id for x in learner.recommend(["cross"], "d0", 4)[0]]
    for n, item in enumerate(popular[:3]):
        learn(learner, [event("cross", item, 140 + n, "skip", "skip")])
    last = popular[3]
    scores = {}
    for user in ("calm", "cross"):
        found = {x.item_id: x.score for x in learner.recommend([user], "d0", 30)[0]}
        scores[user] = found[last]
    assert scores["cross"] < scores["calm"]


def test_top_lists_stay_in_order_below_skips() -> None:
    """Every list is sorted by its counts after clicks and skips in any order."""
    random = np.random.default_rng(3)
    popularity = Popularity()
    for step in range(300):
        row, weight = int(random.integers(20)), float(random.choice([0.2, 1.0, 3.0]))
        if random.random() < 0.4:
            popularity.lower(np.array([row]), np.array([weight]))
        else:
            popularity.fold(np.array([row]), np.array([step * 1000.0]), np.array([weight]))
        for h, name in enumerate(HALF_LIVES):
            counts = popularity.counts[popularity.top(name), h]
            assert (np.diff(counts) <= 0).all()
    assert (popularity.counts[popularity.counts[:, EVER] > 0] > 0).all()


def test_a_skip_takes_away_less_than_it_weighs() -> None:
    """10 clicks and a skip of weight 2: 10 · 10 / 12."""
    popularity = Popularity()
    popularity.fold(np.zeros(10, np.int64), np.full(10, DAY))
    popularity.lower(np.array([0]), np.array([2.0]))
    assert popularity.count("ever", 0, DAY) == pytest.approx(100 / 12)


def world(steps: int) -> list[Interaction]:
    """Users search one series and glance at another: what they search foretells the next item, glances do not."""
    random = np.random.default_rng(7)
    events: list[Interaction] = []
    for n in range(steps):
        user, series = f"u{n % 60}", int(random.integers(8))
        events += [
            event(user, f"s{series}a{random.integers(3)}", 10 * n, "search"),
            event(user, f"g{random.integers(24)}", 10 * n + 1, "glance"),
            event(user, f"s{series}b{random.integers(3)}", 10 * n + 2),
        ]
    return events


def test_weights_follow_what_types_foretell() -> None:
    """Both types begin with the same weight. The one that foretells the next click gains, the other loses."""
    learner = arms({"search": EventType("click", 1.0), "glance": EventType("click", 1.0)})
    learn(learner, world(700), 16)
    weights = learner.full.ranker.event_weights.report()
    assert weights["search"] > 3.0
    assert weights["glance"] < 0.6


def test_learned_weights_come_back_from_a_state() -> None:
    """By name: types may be reordered, and one that is gone is a plain click. A changed start keeps the factor."""
    types = {"search": EventType("click", 1.0), "glance": EventType("click", 0.5)}
    learner = arms(types)
    learn(learner, world(100), 16)
    learned = learner.full.ranker.event_weights.report()
    again = arms({"new": EventType("click", 9.0), "glance": EventType("click", 1.0)})
    again.load(learner.state())
    now = again.full.ranker.event_weights.report()
    assert now == pytest.approx({"new": 9.0, "glance": 2 * learned["glance"]})
    user = again.full.users.get("u1")
    kinds = again.full.history.recall(done_of(user)).kind[0]
    assert set(kinds.tolist()) == {0, 2}  # search has become a click, glance is the second type now


def done_of(user: int | None) -> Any:
    from models.tables.event_rings import asking

    return asking([user])


def test_a_state_from_before_own_types_loads() -> None:
    """All that it holds were clicks and ratings."""
    learner = arms()
    learn(learner, STREAM)
    again = arms(TYPES)
    again.load(learner.state())
    assert again.full.ranker.event_weights.report() == pytest.approx({"view": 0.2, "purchase": 3.0})
    assert again.recommend(["u1"], "d0", 5) == learner.recommend(["u1"], "d0", 5)
    learn(again, [event("u1", "i1", 500, "purchase")])


def test_crash_and_resume_give_the_same_bits() -> None:
    """With weights, skips and events that wait for the network."""
    events = [
        event(
            e.user,
            e.item,
            n,
            *(("", "click"), ("view", "click"), ("purchase", "click"), ("skip", "skip"))[n % 4],
        )
        for n, e in enumerate(STREAM)
    ]  # type: ignore[arg-type]
    whole, first, second = arms(TYPES), arms(TYPES), arms(TYPES)
    learn(whole, events)
    learn(first, events[:60])
    second.load(first.state())
    learn(second, events[60:])
    assert flat(second.state()) == flat(whole.state())


def test_moved_domains_keep_the_kinds() -> None:
    """A state of one domain goes on in a config with two."""
    learner = arms(TYPES)
    learn(learner, [event("a", "i", 0, "purchase"), event("a", "j", 1)])
    moved = arms(TYPES, domains=2)
    moved.load(learner.state())
    row = moved.full.users.get("a")
    assert moved.full.history.recall(done_of(row)).kind[0, :2].tolist() == [0, 2]


def test_the_share_of_what_followed_an_item() -> None:
    """After i came j twice and k once: next(i → j) is 2 of 3, and the last item that nothing followed counts 1."""
    learner = arms(TYPES)
    for n, item in enumerate("jjk"):
        learn(learner, [event(f"u{n}", "i", 10 * n, "purchase")])
        learn(learner, [event(f"u{n}", item, 10 * n + 1)])
    learn(learner, [event("asks", "k", 50), event("asks", "i", 51)], 1)
    user = learner.full.users.get("asks")
    visits = learner.full.ranker.statistics.visits.kernel_view(0)
    asked = by_followers(learner.full.lister(0).scorer.ask([user], 0, T0 / 1000), visits)
    assert asked.recent_count[0, :2].tolist() == pytest.approx([3.0, 1.0])
    assert (asked.recent_weight == 1).all()
