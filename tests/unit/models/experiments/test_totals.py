"""Totals of experiments: exact sums over units, for users with a past and for lists, forgotten with the user."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from models.experiments.experiment import DEFAULT, Experiment, ListSettings
from models.experiments.totals import CountedImpression, ExperimentTotals, joined
from models.settings import RankerSettings
from models.state.snapshot import snapshot
from tests.support.learners.states import decoded
from tests.support.unit_totals import UnitTotals

SAME = ListSettings(10, 10, RankerSettings())
ARMS = {"a": SAME, "b": SAME}
HALVES = {"a": 0.5, "b": 0.5}
BY_USER = Experiment("size", ("movies", "books"), "user", ARMS, HALVES, starts=1000)
BY_LIST = Experiment("order", ("movies",), "list", ARMS, HALVES)
ITEMS = np.arange(10, dtype=np.int64) * 0x1234567890ABCDEF
USERS = 40


def seen(user: int, time: int, list_ts: int = 0, domain: str = "movies") -> CountedImpression:
    return CountedImpression(f"user-{user}", user, domain, time, list_ts)


def test_sums_of_users_are_those_of_their_totals() -> None:
    """Impressions and clicks come in any order, before the start and after it, of two domains, not of a third."""
    rng, totals = np.random.default_rng(0), ExperimentTotals([BY_USER])
    expected = np.zeros((USERS, 4))
    for _ in range(2000):
        user, time = int(rng.integers(USERS)), int(rng.integers(2000))
        one = seen(user, time, domain=str(rng.choice(["movies", "books"])))
        policy = totals.shown(one, ITEMS)
        arm = BY_USER.planned(one.user, one.domain, time)
        assert policy == (f"size/{arm}" if time >= 1000 else DEFAULT)
        column = 0 if time >= 1000 else 2
        expected[user, column] += 1
        for clicks in range(int(rng.integers(3))):
            assert totals.clicked(one, clicks, clicks == 0) == policy
            expected[user, column + 1] += 1
        assert totals.shown(one._replace(domain="games"), ITEMS) == DEFAULT
    for arm, held in totals.arms["size"].items():
        rows = [row for row in range(USERS) if BY_USER.planned(f"user-{row}", "movies", 0) == arm]
        wanted = UnitTotals(*expected[rows].T).sums()
        assert (held.sums.seen, held.sums.units) == (wanted.seen, wanted.units)
        assert np.array_equal(held.sums.first, wanted.first)
        assert np.array_equal(held.sums.second, wanted.second)
        assert {domain: items.size for domain, items in held.items.items()} == {"movies": 10, "books": 10}


def test_impressions_of_one_list_are_one_unit() -> None:
    """A list that is read again is no new unit; a late click finds it; without list_ts there is no arm."""
    totals = ExperimentTotals([BY_LIST])
    units: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    rng = np.random.default_rng(1)
    for step in range(500):
        user, list_ts = step % 7, 1 + step // 70
        one = seen(user, step, list_ts)
        arm = BY_LIST.arm(one.user, "movies", list_ts)
        assert totals.shown(one, ITEMS) == f"order/{arm}"
        units[one.user, list_ts][0] += 1
        if rng.random() < 0.4:
            totals.clicked(one, 0, True)
            units[one.user, list_ts][1] += 1
    assert totals.shown(seen(0, 500), ITEMS) == DEFAULT
    for arm, held in totals.arms["order"].items():
        own = [n for (user, list_ts), n in units.items() if BY_LIST.arm(user, "movies", list_ts) == arm]
        shown, clicks = np.array(own, float).T
        wanted = UnitTotals(shown, clicks, 0 * shown, 0 * shown).sums()
        assert held.sums.units == wanted.units
        assert np.array_equal(held.sums.second, wanted.second)
        assert held.tops == clicks.sum()


def test_clicks_of_an_earlier_list_are_counted() -> None:
    """Its impression counts as a unit of its own then."""
    totals = ExperimentTotals([BY_LIST])
    for list_ts in (1, 2):
        totals.shown(seen(0, list_ts, list_ts), ITEMS)
    totals.shown(seen(0, 3, 1), ITEMS)
    totals.clicked(seen(0, 1, 1), 0, True)
    total = totals.arms["order"]["a"].sums + totals.arms["order"]["b"].sums
    assert (total.units, total.shown, total.clicks) == (3, 3, 1)


def test_a_forgotten_user_is_taken_out_and_an_evicted_one_is_not() -> None:
    """Afterwards their row is empty in both cases."""
    totals, never = ExperimentTotals([BY_USER]), ExperimentTotals([BY_USER])
    for held, users in ((totals, range(20)), (never, range(19))):
        for user in users:
            held.shown(seen(user, 10), ITEMS)
            held.shown(seen(user, 1000 + user), ITEMS)
            held.clicked(seen(user, 1000 + user), 0, True)
    totals.forget(19)
    totals.forget(None)
    for arm in ARMS:
        assert np.array_equal(totals.arms["size"][arm].sums.second, never.arms["size"][arm].sums.second)
        assert totals.arms["size"][arm].sums.units == never.arms["size"][arm].sums.units
    before = sum(totals.arms["size"][arm].sums.shown for arm in ARMS)
    totals.drop_user(3)
    assert sum(totals.arms["size"][arm].sums.shown for arm in ARMS) == before == 19
    assert 3 not in decoded(snapshot(totals.state()))["units"]["users"].tolist()


def test_a_state_is_taken_over_if_its_experiment_is_the_same() -> None:
    """A larger share keeps the totals; other weights begin anew; so does one that was away."""
    totals = ExperimentTotals([BY_USER, BY_LIST._replace(domains=("games",))])
    for user in range(USERS):
        totals.shown(seen(user, 1000 + user), ITEMS)
        totals.shown(seen(user, 1, 1, "games"), ITEMS)
    state = decoded(snapshot(totals.state()))
    same = ExperimentTotals([BY_USER._replace(share=0.9)])
    same.load(state)
    assert same.notes == ["experiment order is not in the config any more; its totals are gone"]
    assert same.arms["size"]["a"].sums.shown == totals.arms["size"]["a"].sums.shown
    other = ExperimentTotals([BY_USER._replace(weights={"a": 0.1, "b": 0.9})])
    other.load(state)
    assert other.notes[0] == "experiment size is defined in another way; its totals begin anew"
    assert other.arms["size"]["a"].sums.units == 0
    for user in range(USERS):
        other.shown(seen(user, 5000), ITEMS)  # rows that hold units of the old definition
    assert sum(held.sums.units for held in other.arms["size"].values()) == USERS


def test_shards_add_up() -> None:
    """Sums of several states, whichever of them have seen an experiment."""
    first, second, both = (ExperimentTotals([BY_USER]) for _ in range(3))
    for user in range(USERS):
        for held in (first if user % 2 else second, both):
            held.shown(seen(user, 1000), ITEMS + user)
    states = [decoded(snapshot(one.state()))["sums"] for one in (first, second)]
    merged = joined([states[0], {}, states[1]])
    loaded = ExperimentTotals([BY_USER])
    loaded.load(decoded(snapshot(both.state())) | {"sums": merged})
    for arm in ARMS:
        one, other = loaded.arms["size"][arm], both.arms["size"][arm]
        assert np.array_equal(one.sums.second, other.sums.second)
        assert one.items["movies"].size == other.items["movies"].size


@pytest.mark.parametrize("experiments", [[], [BY_USER]])
def test_what_nobody_was_shown_takes_no_room(experiments: list[Experiment]) -> None:
    totals = ExperimentTotals(experiments)
    totals.shown(seen(5, 5000, domain="games"), ITEMS)
    assert len(decoded(snapshot(totals.state()))["units"]["hashes"]) == 0
