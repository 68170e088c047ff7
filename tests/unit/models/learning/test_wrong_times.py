"""One wrong event time does no lasting harm, nor does a state whose clock it has stopped."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from models.arms.arm_comparison import ArmComparison
from models.learning.learner import Learner
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from models.signals.registry import PLACES
from models.tables.decayed_counts import DAY, EVER, NEWEST
from tests.support.learners.states import differences

MOVIES, BOOKS = Domain("movies"), Domain("books", "target")
T0 = 1_300_000_000_000
"""ms"""
DAY_MS = 86_400_000
FAR = T0 + 15 * 365 * DAY_MS
YEAR_55840 = 1_700_000_000_000_000


def event(n: int, when: int, user: str | None = None, domain: str = "books") -> Interaction:
    """Return the n-th event of a stream in which users take the items in one order, with ratings and clicks."""
    value = None if n % 3 else float(1 + n % 5)
    return Interaction(
        domain, "click" if value is None else "rating", user or f"u{n % 7}", f"i{n // 7 % 9}", when, value
    )


def stream(days: int, first: int = T0) -> list[Interaction]:
    """Return a stream with ten events a day."""
    return [event(n, first + n * DAY_MS // 10, domain=("books", "movies")[n % 2]) for n in range(10 * days)]


def arms() -> ArmComparison:
    made = ArmComparison([MOVIES, BOOKS], LearningSettings(users=50, items_per_domain=50))
    for domain in ("movies", "books"):
        for n in range(9):
            made.put_item(Item(domain, f"i{n}", f"title {n}"))
    return made


def taught(events: list[Interaction], size: int = 1) -> ArmComparison:
    """Return a learner of these events. size: events in a micro-batch."""
    made = arms()
    for n in range(0, len(events), size):
        made.learn(events[n : n + size])
        if (n + size) % 16 == 0:
            made.end_batch()
    return made


def times(learner: Learner) -> list[Any]:
    """Return every time that the learner keeps, in seconds."""
    state = learner.state()
    popularity = state["ranker"]["signals"]["popularity"]
    events = state["network"]["buffer"]["events"]
    held = [
        state["history"]["recent"]["time"],
        state["rating"]["taste"]["time"],
        events["time"],
        events["recent"][:, :, 2],
    ]
    held += [model["taste"]["time"] for model in state["alone"].values()]
    held += [p["first"] for p in popularity]
    numbers = [p["clock"][NEWEST] for p in popularity] + [state["ranker"]["signals"]["visits"]["start"]]
    numbers += [time for *_, time in state["slow"]] + state["newest"]
    recent = [] if state["slow_recent"] is None else [state["slow_recent"][:, :, 2]]
    return [np.nan_to_num(np.asarray(x, np.float64)) for x in [*held, *recent, numbers]]


def latest(learner: Learner) -> float:
    return max(float(x.max()) for x in times(learner) if x.size)


@pytest.mark.parametrize("size", [1, 8])
def test_one_far_stamp_in_an_archive_is_one_late_event(size: int) -> None:
    """A time of today among those of 2011 leads to the same state as an event at the right time."""
    events = stream(6)
    wrong, right = list(events), list(events)
    at = 30
    wrong.insert(at, event(31, FAR, "u1", events[at].domain))
    right.insert(at, event(31, events[at - 2].timestamp, "u1", events[at].domain))
    states = [taught(events, size).state() for events in (right, wrong)]
    found = differences(*states, lambda path: ".latest." in path)
    assert found == []


@pytest.mark.parametrize("domain", ["movies", "books"])
@pytest.mark.parametrize("size", [1, 16])
def test_a_far_stamp_may_come_first(domain: str, size: int) -> None:
    """A wrong first event is corrected once others contradict it, and then no table holds its time. Those
    may be of the same micro-batch."""
    made = taught([event(0, FAR, "u1", domain), *stream(6)], size)
    assert latest(made.full) == pytest.approx(made.full.newest[made.full.index["books"]], abs=DAY)
    assert made.full.newest[made.full.index[domain]] < T0 / 1000 + 6 * DAY
    first = made.full.recommend(["u2", None], "books", 5)
    assert all(np.isfinite(one.score) for line in first for one in line)


def test_domains_may_live_in_different_years() -> None:
    """One domain replays an archive while another is live: their counts do not look huge to each other."""
    live = [event(n, FAR + n * DAY_MS // 10, domain="movies") for n in range(60)]
    old = [event(n, T0 + n * DAY_MS // 10, domain="books") for n in range(60)]
    full = taught([one for pair in zip(live, old, strict=True) for one in pair]).full
    for n in range(3):  # a user without any book yet
        full.learn([event(7 * n, FAR + 7 * DAY_MS, "newcomer", "movies")])
    assert full.newest[0] - full.newest[1] > 14 * 365 * DAY
    user = full.users.get("newcomer")
    asked = full.scorer.ask([user], 1, full.newest[1])
    found = full.ranker.propose(1, asked, full.scorer.space(1, asked.vector), np.zeros(1, np.int64))
    column = found.values[0, PLACES["co_visitation_30d"], : found.sizes[0]]
    assert 0.5 < column.max() < 10  # log(1 + 10 co-visits over a root of counts)


# A state that stopped


def stopped(state: dict[str, Any], at: float) -> dict[str, Any]:
    """Return the state that an event at the time `at` (s) left when nothing bounded a clock."""
    state = copy.deepcopy(state)
    state["full"]["newest"] = [at for _ in state["full"]["newest"]]
    state["full"].pop("latest")
    return state


@pytest.mark.parametrize("year", [YEAR_55840, FAR])
def test_a_stopped_state_goes_on(year: int) -> None:
    """After loading, all clocks and times are moved to the present, and decay works again."""
    made = taught(stream(6))
    frozen = arms()
    frozen.load(stopped(made.state(), year / 1000))
    for one in stream(3, T0 + 6 * DAY_MS):
        frozen.learn([one])
    frozen.end_batch()
    assert latest(frozen.full) == year / 1000
    healed = arms()
    healed.load(frozen.state())
    now = T0 / 1000 + 9 * DAY
    assert healed.end_future(now)
    assert latest(healed.full) == now
    popularity = healed.full.ranker.statistics.popularity[1]
    rows = np.arange(9)
    at_once, ever = popularity.values(rows, now)[:, 0], popularity.values(rows, now)[:, EVER]
    assert (at_once <= ever + 1e-6).all()
    assert at_once.sum() > 1
    visits = healed.full.ranker.statistics.visits
    weights = visits.lists.weights / visits.growth(now)
    assert np.isfinite(weights).all()
    assert (weights[:, 1] <= weights[:, 0] * 1.001).all()  # next_60d of next
    healed.learn([event(3, int(1000 * now) + 5 * DAY_MS)])
    later = popularity.values(rows, now + 5 * DAY)[:, 0]
    assert at_once[1:5].all()  # the others have faded: they were counted years before the wrong time
    assert (later[1:] <= at_once[1:] / 30).all()
    assert healed.full.newest[1] == now + 5 * DAY
    assert not healed.end_future(now + 5 * DAY)


def test_a_sound_state_is_left_alone() -> None:
    """A state without future times does not change."""
    made = taught(stream(6))
    before = copy.deepcopy(made.state())
    assert not made.end_future(T0 / 1000 + 6 * DAY)
    assert differences(before, made.state()) == []
