"""States of N shards made into states of M: nobody is lost or doubled, and everybody keeps what is known of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from models.arms.arm_comparison import ArmComparison
from models.migration.reshard import Plan, reshard
from models.schema import Domain, Interaction
from tests.support.learners.moved_arms import (
    BOOKS,
    GAMES,
    MOVIES,
    START,
    describe,
    events,
    learn,
    made,
    saved,
    taught,
)
from tests.support.learners.shards import everybody, owner_among, rescaled
from tests.support.learners.states import differences

torch.set_num_threads(1)

DOMAINS = [MOVIES, BOOKS, GAMES]


@pytest.fixture(scope="module")
def one() -> ArmComparison:
    return taught(DOMAINS)


def test_through_many_counts_everybody_keeps_everything(one: ArmComparison) -> None:
    """Counts, latest items, seen items, predicted ratings, slopes and lists, to the last bit."""
    before, shards = everybody([one]), [one]
    assert len(before) > 15
    assert max(map(len, (known.recent for known in before.values()))) == 50  # some rings have begun anew
    for count in (4, 2, 3, 1, 8, 4):
        shards = rescaled(shards, DOMAINS, count)
        assert everybody(shards) == before
        for shard, arms in enumerate(shards):
            assert {owner_among(count)(0, user) for user in arms.full.users} <= {shard}
    assert sum(len(arms.full.users) > 0 for arms in shards) == 4


def test_there_and_back_is_where_it_began(one: ArmComparison) -> None:
    """All but the tables that are by user row is equal to the last bit, and so is the order of users."""
    (back,) = rescaled(rescaled([one], DOMAINS, 5), DOMAINS, 1)
    unlike = differences(one.state(), back.state(), by_user)
    assert unlike == []
    assert list(back.full.users) == list(one.full.users)
    assert waiting(back) == waiting(one)
    assert replayed(back) == replayed(one)


BY_USER = (
    ".full.users.", ".full.history.", ".taste.", ".bias.user", ".users", ".full.slow.", ".network.buffer.", ".slopes.",
)  # fmt: skip


def by_user(path: str) -> bool:
    return any(part in path for part in BY_USER)


def waiting(arms: ArmComparison) -> Counter[Any]:
    """Events that wait for the network: user, domain, item, time and latest items, each by id."""
    events = arms.full.pending.state()
    rows, recent = events["slow"], events["slow_recent"]
    assert rows
    return counted(arms, [(d, u, i, t) for d, u, i, _, t in rows], recent)


def replayed(arms: ArmComparison) -> Counter[Any]:
    """Events that may be replayed, all of them drawn."""
    drawn = arms.full.network.buffer.sample(100_000, np.random.default_rng(0))
    rows = list(
        zip(drawn.domain.tolist(), drawn.user.tolist(), drawn.item.tolist(), drawn.time.tolist(), strict=True)
    )
    distinct = counted(arms, rows, drawn.recent)
    return Counter(dict.fromkeys(distinct, 1))


def counted(arms: ArmComparison, rows: list[Any], recent: Any) -> Counter[Any]:
    full = arms.full
    found: Counter[Any] = Counter()
    for (domain, user, item, time), near in zip(rows, recent.tolist(), strict=True):
        last = tuple((int(d), full.catalogues[int(d)].id_of[int(row)], at) for d, row, at in near if d >= 0)
        found[full.users.id_of[user], domain, full.catalogues[domain].id_of[item], time, last] += 1
    return found


def test_every_shard_goes_on_learning(one: ArmComparison) -> None:
    """Each event is counted by the shard of its user, and lists and states are sound."""
    shards = rescaled([one], DOMAINS, 3)
    before = everybody(shards)
    stream = events(DOMAINS, 400, 520)
    for shard, arms in enumerate(shards):
        learn(arms, [event for event in stream if owner_among(3)(0, event.user) == shard])
    after = everybody(shards)
    new = Counter((event.user, event.domain) for event in stream)
    for user, known in after.items():
        for domain, count in known.events.items():
            had = before[user].events[domain] if user in before else 0
            assert count == had + new[user, domain]
    for arms in shards:
        again = made(DOMAINS)
        assert again.load(saved(arms)) == []
        assert differences(arms.state(), again.state()) == []


def diverged() -> list[ArmComparison]:
    """Three shards that learned apart, so that rows of items differ, some are only in one, and some lost their rows."""
    shards = [made(DOMAINS) for _ in range(3)]
    for shard, arms in enumerate(shards):
        if shard < 2:
            describe(arms, DOMAINS)
        mine = [e for e in events(DOMAINS, 0, 500) if owner_among(3)(0, e.user) == shard]
        learn(arms, mine[shard * 7 :])
        arms.learn([Interaction("movies", "click", mine[0].user, f"only{shard}", START + 60_000 * 500)])
    return shards


def test_shards_whose_items_have_other_rows() -> None:
    """What a user did is the same items by id, wherever these lie in the base's catalogue."""
    shards = diverged()
    before = everybody(shards)
    rows = [arms.full.catalogues[0].ids.get("m7") for arms in shards]
    assert len(set(rows)) > 1
    for base in range(3):
        dealt = rescaled(shards, DOMAINS, 2, base)
        after = everybody(dealt)
        assert after.keys() == before.keys()
        for user, known in before.items():
            found = after[user]
            assert (found.events, found.had, found.slopes) == (known.events, known.had, known.slopes)
            assert found.recent == known.recent
        for arms in dealt:
            assert {f"only{n}" for n in range(3)} <= set(arms.full.catalogues[0].ids)
        learn(dealt[0], events(DOMAINS, 500, 560))
        assert dealt[0].recommend([None], "movies", 5)[0]


def test_what_was_forgotten_in_a_ring_stays_forgotten() -> None:
    """A row that another item has now does not stand for the item that the user had."""
    small = made(DOMAINS, items_per_domain=6)
    other = made(DOMAINS, items_per_domain=6)
    for arms, user in ((small, "ann"), (other, "bob")):
        for n in range(9):
            arms.learn([Interaction("movies", "click", user, f"m{n}", START + 1000 * n)])
        for n in range(40, 44):  # these take the rows of the oldest
            arms.learn([Interaction("movies", "click", user, f"m{n}", START + 60_000 + n)])
    other.learn([Interaction("movies", "click", "bob", "m0", START + 90_000)])
    before = everybody([small, other])
    assert len(before["bob"].recent) < 14
    (joined,) = rescaled([small, other], DOMAINS, 1)
    assert everybody([joined])["bob"].recent == before["bob"].recent
    assert everybody([joined])["ann"].recent == before["ann"].recent


def test_a_user_of_two_shards_keeps_the_row_with_more_events() -> None:
    shards = [made(DOMAINS), made(DOMAINS)]
    for shard, count in enumerate((2, 5)):
        for n in range(count):
            shards[shard].learn([Interaction("movies", "click", "ann", f"m{n}", START + n)])
    (joined,) = rescaled(shards, DOMAINS, 1)
    assert joined.full.events_of("ann")["movies"] == 5


def test_weights_of_users_in_a_challenger_follow_the_users() -> None:
    arms = taught(DOMAINS)
    assert arms.loop is not None
    state = saved(arms)
    names = ["domain:books", "item:books:b1", "user@domain:books:u1", "user@domain:books:gone"]
    column = np.arange(4.0)
    state["loop"]["running"] = {
        "books\tbias": [
            "reset_domain",
            {"test": {}, "bias": {"names": names, "weights": column, "variances": column}},
        ]
    }
    shards = reshard([state], made(DOMAINS).full, Plan(owner_among(4), 4)).states
    held = [one["loop"]["running"]["books\tbias"][1]["bias"] for one in shards]
    assert all(bias["names"][:2] == names[:2] for bias in held)
    assert sorted(name for bias in held for name in bias["names"][2:]) == sorted(names[2:])
    back = reshard(shards, made(DOMAINS).full, Plan(owner_among(1), 1)).states[0]
    (bias,) = [held[1]["bias"] for held in back["loop"]["running"].values()]
    found = dict(zip(bias["names"], bias["weights"].tolist(), strict=True))
    assert found == dict(zip(names, column.tolist(), strict=True))


def test_what_the_leader_tries_goes_on_whichever_shard_is_the_base() -> None:
    """The first shard alone runs challengers and watches for drift."""
    leader, other = (saved(made(DOMAINS)) for _ in range(2))
    columns = {"names": ["domain:books"], "weights": np.ones(1), "variances": np.ones(1)}
    leader["loop"]["running"] = {"books\tbias": ["reset_domain", {"test": {}, "bias": columns}]}
    leader["loop"]["looked"] = {"books": 7}
    for shard in reshard([leader, other], made(DOMAINS).full, Plan(owner_among(3), 3, base=1)).states:
        assert shard["loop"]["looked"] == {"books": 7}
        assert shard["loop"]["running"]["books\tbias"][1]["bias"]["names"] == ["domain:books"]


def test_an_evicted_user_is_told_by_their_own_shard() -> None:
    arms = made(DOMAINS, users=4)
    for n in range(9):
        arms.learn([Interaction("movies", "click", f"u{n}", "m1", START + n)])
    shards = reshard([saved(arms)], made(DOMAINS).full, Plan(owner_among(3), 3)).states
    told = [user for state in shards for user in state["full"]["evicted_users"]]
    assert sorted(told) == sorted(arms.full.rows.evicted_users)
    for shard, state in enumerate(shards):
        assert {owner_among(3)(0, user) for user in state["full"]["evicted_users"]} <= {shard}


def test_shards_of_other_domains_are_refused() -> None:
    states = [saved(made(domains)) for domains in ([MOVIES, BOOKS], [MOVIES, GAMES])]
    with pytest.raises(ValueError, match="differ in their domains"):
        reshard(states, made([MOVIES, BOOKS]).full, Plan(owner_among(1), 1))


def test_a_shard_may_have_no_user() -> None:
    arms = made(DOMAINS)
    arms.learn([Interaction("movies", "click", "ann", "m1", START)])
    shards = rescaled([arms], DOMAINS, 16)
    assert sorted(len(one.full.users) for one in shards) == [0] * 15 + [1]
    for one in shards:
        learn(one, events(DOMAINS, 0, 20))
    domain: Domain = DOMAINS[0]
    assert shards[0].recommend([None], domain.name, 3)[0]
