"""Four learners that share their facts agree with one that learns every event, and no fact holds a user."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
import pytest
import zstandard

from models.arms.arm_comparison import ArmComparison
from models.arms.fact_exchange import judge, outgoing
from models.schema import Interaction
from models.settings import LearningSettings
from models.sharing.applied import Applied
from models.sharing.packing import pack, unpack
from models.sharing.shared_facts import Place
from serving.client.pseudonyms import Pseudonyms
from tests.laws.test_batches import DOMAINS, START, describe, event
from tests.support.learners.rating_states import mean_of
from tests.support.learners.states import differences

SHARDS, EVENTS, BATCH = 4, 2_000, 16


def shard_of(user: str) -> int:
    return zlib.crc32(user.encode()) % SHARDS


class Shared:
    """Four arms that read each other's facts at once, and one that learns all events in the same order."""

    def __init__(self) -> None:
        self.one, self.shards = arms(), [arms() for _ in range(SHARDS)]
        self.applied = [Applied() for _ in range(SHARDS)]
        self.records: list[bytes] = []
        self.offsets = [0] * SHARDS

    def learn(self, shard: int, events: list[Interaction]) -> None:
        """Learn a batch of one shard's users."""
        places = [Place("events", shard, self.offsets[shard] + n) for n in range(len(events))]
        self.offsets[shard] += len(events)
        self.one.learn(events)
        self.shards[shard].learn(events)
        assert all(self.applied[shard].claim(place) for place in places)
        self.records.append(pack(outgoing(self.shards[shard], events, places)))
        for other, applied in zip(self.shards, self.applied, strict=True):
            shared = unpack(self.records[-1])
            judge(other, shared)
            other.full.fold(applied.claim_new(shared))


def arms() -> ArmComparison:
    made = ArmComparison(DOMAINS, LearningSettings(users=200, items_per_domain=400))
    describe(made)
    return made


def batches() -> Iterator[tuple[int, list[Interaction]]]:
    """Yield micro-batches, each of the users of one shard."""
    for first in range(0, EVENTS, BATCH):
        events = [event(n) for n in range(first, first + BATCH)]
        for shard in range(SHARDS):
            if own := [one for one in events if shard_of(one.user) == shard]:
                yield shard, own


@pytest.fixture(scope="module")
def shared() -> Shared:
    """Treat as read-only."""
    made = Shared()
    for one in made.shards:
        one.shares = True
    for shard, events in batches():
        made.learn(shard, events)
    return made


def test_sums_agree(shared: Shared) -> None:
    one = shared.one.full
    for arm in shared.shards:
        other = arm.full
        assert other.learned == one.learned
        assert other.newest == one.newest
        assert [list(c.ids) for c in other.catalogues] == [list(c.ids) for c in one.catalogues]
        for d in range(len(DOMAINS)):
            ours, theirs = other.ranker.statistics, one.ranker.statistics
            np.testing.assert_allclose(
                ours.popularity[d].counts, theirs.popularity[d].counts, rtol=1e-9, atol=1e-9
            )
            np.testing.assert_allclose(ours.experience[d].moments, theirs.experience[d].moments, atol=1e-9)
            assert other.rating.mean(d) == pytest.approx(one.rating.mean(d), abs=1e-9)


def test_popular_items_agree(shared: Shared) -> None:
    for d in range(len(DOMAINS)):
        tops = [arm.full.ranker.statistics.popularity[d].top("30d")[:50].tolist() for arm in shared.shards]
        assert all(
            top == shared.one.full.ranker.statistics.popularity[d].top("30d")[:50].tolist() for top in tops
        )


def neighbours(arm: ArmComparison, domain: int, row: int) -> set[int]:
    """Return the 20 items that users had most often with this one."""
    visits = arm.full.ranker.statistics.visits
    every = np.ones(arm.full.catalogues[domain].size, np.bool_)
    _, rows, weights = visits.neighbours(domain, visits.slots(domain, np.array([row])), every)
    return set(rows[np.argsort(-weights[:, 3], kind="stable")[:20]].tolist())


def test_co_visits_agree(shared: Shared) -> None:
    found = list[float]()
    for arm in shared.shards:
        for d in range(len(DOMAINS)):
            for row in range(0, arm.full.catalogues[d].size, 7):
                expected = neighbours(shared.one, d, row)
                if expected:
                    found.append(len(expected & neighbours(arm, d, row)) / len(expected))
    assert len(found) > 100
    assert np.mean(found) >= 0.98


def test_tastes_agree(shared: Shared) -> None:
    """Weights agree, but for the few whose step lies half way between two whole numbers and is rounded either way."""
    compared, apart = 0, []
    one = shared.one.full
    for n, arm in enumerate(shared.shards):
        for user, row in arm.full.users.items():
            assert shard_of(user) == n, "a shard has rows for its own users only"
            in_one = one.users.get(user)
            assert in_one is not None
            expected = mean_of(one.rating.taste.arrays, in_one)
            apart.append(np.abs(mean_of(arm.full.rating.taste.arrays, row) - expected))
            compared += 1
    assert compared == len(one.users)
    assert np.max(apart) < 0.01
    assert np.mean(np.array(apart) > 1e-3) < 0.005


def test_what_all_models_say_of_an_item_agrees(shared: Shared) -> None:
    one = shared.one.full
    for arm in shared.shards:
        for d, catalogue in enumerate(one.catalogues):
            rows = np.arange(catalogue.size)
            vectors = catalogue.vectors[: catalogue.size]
            models = [(arm.full.rating, one.rating, d)]
            if d in one.target_only:
                models.append((arm.full.target_only[d], one.target_only[d], 0))
            for ours, theirs, domain in models:
                np.testing.assert_allclose(
                    ours.item_biases(domain, rows, vectors),
                    theirs.item_biases(domain, rows, vectors),
                    atol=5e-3,
                )


def test_all_shards_follow_the_same_arm(shared: Shared) -> None:
    """They count the losses of all events from the log, so to the last bit."""
    first, *others = shared.shards
    assert first.prequential.measured()
    for other in others:
        assert differences(first.prequential.state(), other.prequential.state()) == []
        assert differences(first.selector.state(), other.selector.state()) == []
    for key in shared.one.prequential.measured():
        assert first.prequential.count(*key) == shared.one.prequential.count(*key)
        # Each shard learns its own weights of the ranker, so ranks differ a little.
        assert first.prequential.error(*key) == pytest.approx(shared.one.prequential.error(*key), rel=0.05)


def test_no_fact_holds_a_user(shared: Shared) -> None:
    """Neither an id nor the pseudonym that stands for it, in bytes or unpacked bytes; nor the id of an event."""
    pseudonym = Pseudonyms("a secret of some length").inside("cat@example.org")
    people = ["ann@example.org", "bob@example.org", pseudonym]
    named = [
        Interaction("books", "rating", person, f"b{n}", START + n, 4.0, f"event-{n}")
        for n in range(8)
        for person in people
    ]
    teacher = arms()
    teacher.learn(named)
    record = pack(outgoing(teacher, named, [Place("events", 0, n) for n in range(len(named))]))
    body = zstandard.ZstdDecompressor().decompress(record[4:])
    assert b"b7" in body, "items are named, so the search can see"
    for secret in (*people, "event-"):
        assert secret.encode() not in record + body
    users = {one for arm in shared.shards for one in arm.full.users}
    assert not users & {item for packed in shared.records for held in unpack(packed).ids for item in held}


def test_a_fact_takes_few_bytes(shared: Shared) -> None:
    """The bound is far above the 200 to 250 bytes of large batches: these are of one to eight events."""
    assert sum(map(len, shared.records)) / EVENTS < 600
