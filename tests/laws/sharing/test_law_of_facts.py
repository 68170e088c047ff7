"""The law of facts in a model: whatever is killed, repeated or dealt out anew, every copy counts each event once."""

from __future__ import annotations

import copy
import random
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sharing.applied import Applied
from models.sharing.shared_facts import Place, SharedFacts
from tests.support.learners.facts import facts_at, places_of

PARTITIONS, EVENTS, ACTIONS = 6, 12, 150
TOPIC = "interactions"


@dataclass(frozen=True)
class Rules:
    """The two rules of the law. A mutant leaves one out."""

    acknowledged_first: bool = True
    """A checkpoint is taken only after the facts of everything it covers are acknowledged."""
    read_to_end: bool = True
    """At the start, facts are read to their end before the first own event."""


@dataclass
class State:
    """What a checkpoint holds: offsets, how often each event was counted here, and each own user's events."""

    next: dict[int, int]
    applied: Applied = field(default_factory=Applied)
    facts: int = 0
    counted: Counter[tuple[int, int]] = field(default_factory=Counter)
    users: Counter[tuple[int, int]] = field(default_factory=Counter)


@dataclass
class Shard:
    """A process. sent: facts on their way. saving: a state that waits for the acknowledgement of `marked` facts."""

    state: State
    saved: State
    sent: list[Place] = field(default_factory=list)
    made: int = 0
    acknowledged: int = 0
    saving: State | None = None
    marked: int = 0


class Service:
    """Some shards over a log of interactions and a log of facts."""

    def __init__(self, rules: Rules, seed: int) -> None:
        self.rules, self.random = rules, random.Random(seed)
        self.facts: list[SharedFacts] = []
        first = State(dict.fromkeys(range(PARTITIONS), 0))
        self.shards = [Shard(copy.deepcopy(first), first)]
        self.deal_out(3)

    def learn(self, shard: Shard) -> None:
        """Learn the next event of one of the own partitions."""
        waiting = [p for p, at in shard.state.next.items() if at < EVENTS]
        if not waiting:
            return
        partition = self.random.choice(waiting)
        place = Place(TOPIC, partition, shard.state.next[partition])
        shard.state.next[partition] += 1
        shard.state.users[place.partition, place.offset] += 1
        if shard.state.applied.claim(place):
            shard.state.counted[place.partition, place.offset] += 1
            shard.sent.append(place)
            shard.made += 1

    def acknowledge(self, shard: Shard, count: int) -> None:
        """Let the log of facts take the oldest facts that are on their way, some twice."""
        gone, shard.sent = shard.sent[:count], shard.sent[count:]
        shard.acknowledged += len(gone)
        for _ in range(self.random.choice((1, 1, 1, 2))):
            if gone:
                self.facts.append(facts_at(gone))

    def read(self, shard: Shard, count: int) -> None:
        """Read some facts of all shards."""
        for shared in self.facts[shard.state.facts : shard.state.facts + count]:
            for place in places_of(shard.state.applied.claim_new(shared)):
                shard.state.counted[place.partition, place.offset] += 1
            shard.state.facts += 1

    def save(self, shard: Shard) -> None:
        """Begin a checkpoint, or end the one that was begun if it may be."""
        if shard.saving is None:
            shard.saving, shard.marked = copy.deepcopy(shard.state), shard.made
        if shard.acknowledged >= shard.marked or not self.rules.acknowledged_first:
            shard.saved, shard.saving = shard.saving, None

    def kill(self, shard: Shard) -> None:
        """End the process, while some of its facts are on their way, and start it again."""
        self.acknowledge(shard, self.random.randint(0, len(shard.sent)))
        started = Shard(copy.deepcopy(shard.saved), shard.saved)
        self.shards[self.shards.index(shard)] = started
        self.start(started)

    def start(self, shard: Shard) -> None:
        """Begin from a checkpoint."""
        if self.rules.read_to_end:
            self.read(shard, len(self.facts))

    def deal_out(self, count: int) -> None:
        """Kill all shards and deal out their checkpoints: users with their offsets, and the newest copy to each."""
        for shard in self.shards:
            self.acknowledge(shard, self.random.randint(0, len(shard.sent)))
        saved = [shard.saved for shard in self.shards]
        base = max(saved, key=lambda state: state.facts)
        offsets = {p: at for state in saved for p, at in state.next.items()}
        users = sum((state.users for state in saved), Counter[tuple[int, int]]())
        self.shards = []
        for index in range(count):
            own = {p: at for p, at in offsets.items() if p % count == index}
            state = State(own, copy.deepcopy(base.applied), base.facts, Counter(base.counted))
            state.users = Counter({place: n for place, n in users.items() if place[0] in own})
            self.shards.append(Shard(copy.deepcopy(state), state))
            self.start(self.shards[-1])

    def act(self) -> None:
        """Do something at random."""
        shard = self.random.choice(self.shards)
        match self.random.choices(range(6), (30, 20, 25, 15, 6, 3))[0]:
            case 0:
                self.learn(shard)
            case 1:
                self.acknowledge(shard, self.random.randint(1, 3))
            case 2:
                self.read(shard, self.random.randint(1, 4))
            case 3:
                self.save(shard)
            case 4:
                self.kill(shard)
            case 5:
                self.deal_out(self.random.randint(1, PARTITIONS))

    def end(self) -> None:
        """Learn what is left, and let all facts arrive."""
        for shard in self.shards:
            for _ in range(PARTITIONS * EVENTS):
                self.learn(shard)
            self.acknowledge(shard, len(shard.sent))
        for shard in self.shards:
            self.read(shard, len(self.facts))

    def wrong(self) -> bool:
        """Return whether some copy lacks an event or has it twice, or the users together do."""
        every = Counter({(p, n): 1 for p in range(PARTITIONS) for n in range(EVENTS)})
        users = sum((shard.state.users for shard in self.shards), Counter[tuple[int, int]]())
        return users != every or any(shard.state.counted != every for shard in self.shards)


def wrong_schedules(rules: Rules, schedules: int) -> int:
    """Return how many random schedules lose or double something."""
    wrong = 0
    for seed in range(schedules):
        service = Service(rules, seed)
        for _ in range(ACTIONS):
            service.act()
        service.end()
        wrong += service.wrong()
    return wrong


def test_every_event_counts_once_in_every_copy() -> None:
    assert wrong_schedules(Rules(), 400) == 0


@pytest.mark.parametrize("mutant", [Rules(acknowledged_first=False), Rules(read_to_end=False)])
def test_without_either_rule_events_are_lost(mutant: Rules) -> None:
    assert wrong_schedules(mutant, 40) > 3


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), min_size=1, max_size=6), max_size=8)
)
def test_facts_are_claimed_like_single_events(batches: list[list[tuple[int, int]]]) -> None:
    """In whatever order offsets come, and however often."""
    one, other = Applied(), Applied()
    for batch in batches:
        places = [Place(TOPIC, partition, offset) for partition, offset in batch]
        assert places_of(one.claim_new(facts_at(places))) == [at for at in places if other.claim(at)]
        assert one.state() == other.state()


def test_a_fact_that_is_read_again_is_dropped() -> None:
    applied = Applied()
    places = [Place(TOPIC, 0, 3), Place(TOPIC, 1, 0), Place(TOPIC, 0, 4)]
    assert places_of(applied.claim_new(facts_at(places))) == places
    assert places_of(applied.claim_new(facts_at([*places, Place(TOPIC, 0, 5)]))) == [Place(TOPIC, 0, 5)]
    again = Applied()
    again.load(applied.state())
    assert again.knows(Place(TOPIC, 0, 5))
    assert not again.knows(Place(TOPIC, 2, 0))
    assert np.array_equal(again.claim_new(facts_at(places)).offset, [])
