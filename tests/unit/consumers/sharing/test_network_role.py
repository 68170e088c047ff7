"""The process that trains the network, over logs in memory: what it publishes and when, and what its state holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from consumers.config.loader import build
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.service.wiring import learners
from consumers.sharing.followed_weights import FollowedWeights
from consumers.sharing.network_role import HEARTBEAT_SECONDS, MOST_WAITING, NetworkEnds, NetworkRole
from models.network.published.packing import Dense, PublishedRows, Texts, unpack
from models.schema import Item
from models.sharing.packing import pack
from models.text.encoder import HashingEncoder
from serving.shard_metrics import ShardMetrics
from tests.support.clock import Clock
from tests.support.learners.facts import clicks
from tests.support.log.memory_facts import MemoryFacts

AGE = "crosscurrent_network_age_seconds"


class Role:
    """The process, and what it has published."""

    def __init__(self, facts: list[bytes], clock: Clock) -> None:
        settings = build(
            {"domains": {"movies": {}, "books": {"role": "target"}}, "shards": {"count": 2, "index": 0}}
        )
        self.arms, self.clock, self.registry = learners(settings), clock, CollectorRegistry()
        self.published = list[bytes]()
        self.log = MemoryFacts(facts, clock, self.published)
        ends = NetworkEnds(self.log, ShardMetrics(self.registry))
        self.role = NetworkRole(settings, self.arms, ends, clock, lambda: 1_700_000_100.0)

    def turn(self, seconds: float = 1.1) -> None:
        """Let time pass, take a turn, and then a step of the network."""
        self.clock.now += seconds
        self.role.step()
        self.arms.end_batch()

    def take(self) -> list[Dense | PublishedRows | Texts]:
        """Return what was published since the last call."""
        found = [unpack(record) for record in self.published]
        self.published.clear()
        return found

    def describe(self) -> None:
        """Let it know texts, from which it fits a basis."""
        titles = {("movies", f"m{n}"): f"a film of {n} and {n * n}" for n in range(12)}
        for (domain, item), title in titles.items():
            self.arms.put_item(Item(domain, item, title))
        raw = HashingEncoder().encode(list(titles.values()))
        self.arms.put_text_vectors(dict(zip(titles, raw, strict=True)), idle=True)


@pytest.fixture
def facts() -> list[bytes]:
    return [pack(clicks("movies", range(first, first + 8))) for first in range(0, 32, 8)]


@pytest.fixture
def make(facts: list[bytes]) -> Callable[[], Role]:
    clock = Clock()
    return lambda: Role(facts, clock)


def kinds(found: list[Dense | PublishedRows | Texts]) -> list[type]:
    return [type(one) for one in found]


def test_it_learns_facts_and_publishes_rows_before_all_else(make: Callable[[], Role]) -> None:
    role = make()
    role.role.start()
    role.turn()
    role.turn()
    assert role.arms.full.learned == [32, 0]
    assert role.arms.full.model == 1
    assert len(role.arms.full.users) == 0
    assert kinds(role.take()) == [Dense, PublishedRows, Dense], "what it began with, then what it has learned"


def test_it_publishes_no_sooner_than_it_may_and_says_that_it_lives(make: Callable[[], Role]) -> None:
    role = make()
    role.role.start()
    role.turn()
    role.take()
    role.turn(0.5)
    assert role.take() == []
    role.turn(0.6)
    assert kinds(role.take()) == [PublishedRows, Dense]
    role.turn()
    assert role.take() == [], "nothing is new"
    role.turn(HEARTBEAT_SECONDS)
    assert Dense in kinds(role.take())


def test_weights_do_not_pile_up_while_brokers_are_away(make: Callable[[], Role], facts: list[bytes]) -> None:
    role = make()
    role.role.start()
    role.turn()
    role.take()
    role.log.held = True
    role.turn()
    sent = role.log.sent
    for n in range(8):
        facts.append(pack(clicks("movies", range(100 + n, 101 + n))))
        role.turn()
    assert role.log.sent == sent
    assert "weights are not acknowledged for 9 s" in (role.role.problem() or "")
    assert (role.registry.get_sample_value(AGE) or 0.0) > 8.0
    assert role.arms.full.learned == [40, 0], "learning goes on"
    role.log.held = False
    role.log.deliver()
    role.take()
    role.turn()
    role.turn()
    assert role.role.problem() is None
    assert [one.steps for one in role.take() if isinstance(one, Dense)][-1] == role.arms.full.model


def test_a_basis_of_texts_is_published_once_it_is_saved(make: Callable[[], Role]) -> None:
    """After a crash another one would be fitted, and shards have let go of the texts of this one."""
    role = make()
    role.role.start()
    role.describe()
    role.turn()
    assert Texts not in kinds(role.take())
    safe = role.role.marked(lambda: True)
    role.turn(HEARTBEAT_SECONDS)
    assert Texts not in kinds(role.take())
    assert safe()
    role.role.saved()
    role.turn(HEARTBEAT_SECONDS)
    assert kinds(role.take())[0] is Texts
    role.turn(HEARTBEAT_SECONDS)
    assert Texts not in kinds(role.take()), "it has not changed"


def test_a_state_goes_on_where_it_ended_and_publishes_all(
    make: Callable[[], Role], facts: list[bytes]
) -> None:
    role = make()
    role.role.start()
    role.describe()
    role.turn()
    state, arms = role.role.state(), role.arms.state()
    facts += [facts[0], pack(clicks("movies", range(50, 52)))]
    again = make()
    again.arms.load(arms)
    again.role.load(state)
    again.role.start()
    again.turn()
    assert again.arms.full.learned == [34, 0], "a fact that comes again is dropped"
    found = again.take()
    assert kinds(found) == [Texts, PublishedRows, Dense]
    assert isinstance(found[1], PublishedRows)
    assert len(found[1].ids) == 32


def test_a_turn_takes_a_part_of_a_backlog(make: Callable[[], Role], facts: list[bytes]) -> None:
    role = make()
    facts[:] = [
        pack(clicks("movies", range(first, first + 256))) for first in range(0, 3 * MOST_WAITING, 256)
    ]
    role.role.start()
    assert role.role.waits()
    role.role.step()
    assert sum(role.arms.full.learned) == role.arms.full.waiting == MOST_WAITING
    assert role.role.waits()
    for _ in range(3):
        role.turn()
    assert sum(role.arms.full.learned) == 3 * MOST_WAITING
    assert not role.role.waits()


def test_a_replaced_process_stops_for_good(make: Callable[[], Role]) -> None:
    role = make()
    role.role.start()
    role.log.replaced = True
    with pytest.raises(Stop) as caught:
        role.turn()
    assert caught.value.code == STATE_UNUSABLE
    assert role.role.fenced


def test_what_is_no_fact_stops_it_with_the_topic(make: Callable[[], Role], facts: list[bytes]) -> None:
    role = make()
    facts.append(b"{}")
    role.role.start()
    with pytest.raises(Stop, match=r"topic crosscurrent.facts: this is no record of facts"):
        role.turn()


def test_at_the_end_it_publishes_what_is_new(make: Callable[[], Role]) -> None:
    role = make()
    role.role.start()
    role.turn()
    role.take()
    assert role.role.settle(1.0)
    assert [one.steps for one in role.take() if isinstance(one, Dense)] == [1]


class Shard:
    """What a shard has of the weights."""

    def __init__(self, records: list[bytes], domains: dict[str, dict[str, str]] | None = None) -> None:
        settings = build({"domains": domains or {"movies": {}, "books": {"role": "target"}}})
        self.arms, self.registry = learners(settings, follows=True), CollectorRegistry()
        self.now = 1_700_000_100.0
        self.log = MemoryFacts(records, Clock())
        self.weights = FollowedWeights(
            self.arms.full, self.log, "crosscurrent.model", ShardMetrics(self.registry), lambda: self.now
        )

    def age(self) -> float | None:
        return self.registry.get_sample_value(AGE)


@pytest.fixture
def published(make: Callable[[], Role]) -> list[bytes]:
    role = make()
    role.role.start()
    role.turn()
    role.turn()
    return role.published


def test_a_shard_takes_in_what_is_there_and_what_comes(published: list[bytes]) -> None:
    some = published[:-1]
    shard = Shard(some)
    shard.weights.start()
    assert shard.arms.full.model == 0
    some.append(published[-1])
    shard.weights.step()
    assert shard.arms.full.model == 1


def test_weights_grow_old_while_none_come(published: list[bytes]) -> None:
    shard = Shard(published)
    shard.now += 50.0
    assert shard.age() == 50.0, "since it began"
    shard.weights.start()
    shard.now += 30.0
    shard.weights.step()
    assert shard.age() == 80.0, "since they were published, by the clock of the publisher"
    again = Shard([*published])
    again.weights.load(shard.weights.state())
    again.weights.start()
    assert again.age() == 0.0
    assert again.arms.full.model == 0, "it goes on after what its state holds"


def test_weights_of_other_domains_are_left_out(published: list[bytes]) -> None:
    shard = Shard(published, {"films": {}, "books": {"role": "target"}})
    shard.weights.start()
    shard.weights.step()
    shard.now += 9.0
    assert shard.arms.full.model == 0
    assert shard.age() == 9.0


def test_what_is_no_record_of_weights_stops_it_with_the_topic() -> None:
    shard = Shard([b"{}"])
    with pytest.raises(Stop, match=r"topic crosscurrent.model: this is no record of weights") as caught:
        shard.weights.start()
    assert caught.value.code == STATE_UNUSABLE
