"""A shard over facts in memory: what it shares, when it waits, and what an event that comes again does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from consumers.config.loader import build
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.record import Record
from consumers.service.wiring import learners
from consumers.sharing.shard import ShardEnds, Sharing
from models.schema import Interaction
from models.signals.popularity import EVER
from serving.contract import Keys
from serving.publication.publication_queue import PublicationQueue
from serving.shard_metrics import ShardMetrics
from serving.worker import ThreadFailed
from tests.support.clock import Clock
from tests.support.doubles import ListSink
from tests.support.log.memory_facts import MemoryFacts

TOPIC, START = "interactions.movies", 1_700_000_000_000


class Shard:
    """One shard of two; all shards of a test have the same list of facts."""

    def __init__(self, index: int, records: list[bytes], clock: Clock) -> None:
        self.partition = index
        shards = {"count": 2, "index": index, "alone_seconds": 30.0}
        settings = build({"domains": {"movies": {}, "books": {"role": "target"}}, "shards": shards})
        self.arms, self.facts, self.registry = (
            learners(settings),
            MemoryFacts(records, clock),
            CollectorRegistry(),
        )
        self.queue = PublicationQueue(self.arms, Keys(), lambda: 0.0)
        self.sink, self.clock = ListSink(), clock
        ends = ShardEnds(self.facts, self.sink, 2, ShardMetrics(self.registry))
        self.sharing = Sharing(settings, self.arms, self.queue, ends, clock)

    def learn(self, *offsets: int, user: str = "ann", item: str = "m1") -> None:
        """Learn ratings of one item at these offsets of the shard's partition."""
        pairs = list[tuple[Record, Interaction]]()
        for n in offsets:
            event = Interaction("movies", "rating", user, item, START + 1000 * n, 4.0)
            pairs.append((Record(TOPIC, self.partition, n, event.timestamp, user.encode(), b""), event))
        self.sharing.learn(pairs)

    def share(self) -> None:
        """Take turns until facts have left."""
        self.clock.now += 1.0
        self.sharing.step()

    def count(self, item: str = "m1") -> float:
        row = self.arms.full.catalogues[0].ids.get(item)
        return 0.0 if row is None else float(self.arms.full.ranker.statistics.popularity[0].counts[row, EVER])

    def dropped(self) -> float | None:
        """Return how many facts were read once more."""
        return self.registry.get_sample_value("crosscurrent_facts_dropped_total")


def test_what_one_learns_the_other_learns_without_the_user(make: Callable[[int], Shard]) -> None:
    one, two = make(0), make(1)
    one.learn(0, 1, 2)
    assert two.count() == 0
    one.share()
    two.share()
    assert (one.count(), two.count()) == (3, 3)
    assert two.arms.full.learned == one.arms.full.learned == [3, 0]
    assert len(two.arms.full.users) == 0
    one.share()
    assert one.count() == 3, "its own facts come back, and are counted already"
    assert two.arms.prequential.state() == one.arms.prequential.state() != {}


def test_a_dead_thread_of_rerouted_events_is_raised_in_the_loop(make: Callable[[int], Shard]) -> None:
    """Else no checkpoint would ever be saved again, and nobody told."""
    one = make(0)

    def failed() -> None:
        raise ThreadFailed("rerouted events")

    one.sink.check = failed  # type: ignore[method-assign]
    with pytest.raises(ThreadFailed):
        one.sharing.step()
    assert not one.sharing.fenced


def test_facts_wait_until_they_are_due_or_many(make: Callable[[int], Shard]) -> None:
    one = make(0)
    one.learn(0)
    one.sharing.step()
    assert one.facts.sent == 0
    one.share()
    assert one.facts.sent == 1
    for first in range(1, 257, 16):
        one.learn(*range(first, first + 16))
    assert one.facts.sent == 2, "256 events leave at once"


def test_a_checkpoint_waits_for_the_facts_that_it_covers(make: Callable[[int], Shard]) -> None:
    one = make(0)
    one.facts.held = True
    one.learn(0)
    safe = one.sharing.marked(lambda: True)
    assert one.facts.sent == 1, "they leave now, and not only when they are due"
    assert not safe()
    one.facts.held = False
    one.facts.deliver()
    assert safe()
    assert not one.sharing.marked(lambda: False)(), "dead letters count as well"


def test_without_acknowledgement_it_publishes_nothing_and_then_reads_nothing(
    make: Callable[[int], Shard],
) -> None:
    one = make(0)
    one.facts.held = True
    one.learn(0)
    one.share()
    assert one.sharing.problem() is None
    assert not one.sharing.silent()
    for _ in range(6):
        one.share()
    assert one.sharing.silent()
    assert not one.sharing.blocked()
    assert "facts are not acknowledged for 6 s" in (one.sharing.problem() or "")
    for _ in range(30):
        one.share()
    assert one.sharing.blocked()
    assert "reading pauses" in (one.sharing.problem() or "")
    one.facts.held = False
    one.facts.deliver()
    one.share()
    assert (one.sharing.silent(), one.sharing.blocked(), one.sharing.problem()) == (False, False, None)


def test_after_a_pause_it_is_silent_until_no_other_can_have_taken_over(make: Callable[[int], Shard]) -> None:
    one = make(0)
    one.facts.held = True
    one.clock.now += 60.0
    one.sharing.step()
    assert one.sharing.silent()
    one.facts.held = False
    one.facts.deliver()
    assert not one.sharing.silent()
    one.share()
    two = make(1)
    two.sharing.start()
    assert two.arms.full.learned == [0, 0], "what it sent to be acknowledged holds no event"


def test_a_replaced_process_stops_for_good(make: Callable[[int], Shard]) -> None:
    one = make(0)
    one.facts.replaced = True
    with pytest.raises(Stop, match="another process") as caught:
        one.sharing.step()
    assert caught.value.code == STATE_UNUSABLE
    assert one.sharing.fenced
    assert one.sharing.silent()


def test_an_event_whose_fact_was_read_teaches_its_user_only(make: Callable[[int], Shard]) -> None:
    """The process ends after its facts were acknowledged and before a checkpoint: the events come once more."""
    first = make(0)
    first.learn(0, 1)
    first.share()
    again = make(0)
    again.sharing.start()
    assert again.count() == 2
    assert again.arms.full.events_of("ann")["movies"] == 0
    again.learn(0, 1, 2)
    assert again.count() == 3, "the third is new"
    assert again.arms.full.events_of("ann")["movies"] == 3
    again.share()
    again.share()
    other = make(1)
    other.sharing.start()
    assert other.count() == 3
    assert other.dropped() == 0, "a known event is not shared again"


def test_a_state_goes_on_where_it_ended(make: Callable[[int], Shard]) -> None:
    one, two = make(0), make(1)
    one.learn(0, 1)
    one.share()
    two.sharing.start()
    state, arms = two.sharing.state(), two.arms.state()
    one.learn(2)
    one.share()
    again = make(1)
    again.arms.load(arms)
    again.sharing.load(state)
    again.sharing.start()
    assert again.count() == one.count() == 3


def test_facts_that_are_no_facts_stop_it_with_the_topic(make: Callable[[int], Shard]) -> None:
    one = make(0)
    one.facts.send(b"{}")
    with pytest.raises(Stop, match=r"topic crosscurrent.facts: this is no record of facts") as caught:
        one.sharing.step()
    assert caught.value.code == STATE_UNUSABLE
