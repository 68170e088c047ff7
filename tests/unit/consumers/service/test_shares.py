"""A pipeline that is one of several shards: what it sends on, shares, holds back and saves."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from consumers.config.loader import build
from consumers.events.record import Record
from consumers.kafka_client.producer import partition_of
from consumers.service.pipeline import Pipeline
from consumers.service.wiring import Ends, wired
from consumers.sharing.shard import ShardEnds
from models.text.encoder import HashingEncoder
from serving.metrics import Metrics
from serving.shard_metrics import ShardMetrics
from tests.support.clock import Clock
from tests.support.doubles import ListSink, ListSource, SyncEncoding
from tests.support.log.memory_facts import MemoryFacts
from tests.support.service.pipelines import LATER, clocks_of

PARTITIONS, START = 2, 1_700_000_000_000


class Made(NamedTuple):
    """A pipeline and its ends."""

    pipeline: Pipeline
    facts: MemoryFacts
    rerouted: ListSink
    clock: Clock

    def turn(self) -> None:
        self.clock.now += 1.0
        self.pipeline.step()


def made(index: int, records: list[Record], shared: list[bytes], count: int = 2) -> Made:
    shards = {"count": count, "index": index, "alone_seconds": 20.0}
    settings = build({"domains": {"movies": {}}, "shards": shards, "intake": {"batch_events": 4}})
    clock, sink = Clock(), ListSink()
    facts = MemoryFacts(shared, clock)
    shard = ShardEnds(facts, sink, PARTITIONS, ShardMetrics()) if count > 1 else None
    ends = Ends(ListSource(records), ListSink(), SyncEncoding(HashingEncoder()), shard=shard)
    pipeline = wired(settings, ends, Metrics(), clocks_of(clock, LATER))
    pipeline.restore()
    return Made(pipeline, facts, sink, clock)


def event(user: str, offset: int, wrong: bool = False) -> Record:
    """Return a click in the partition of its user, or in the other one."""
    value: dict[str, Any] = {"type": "click", "user_id": user, "item_id": f"m{offset}"}
    partition = (partition_of(user.encode(), PARTITIONS) + wrong) % PARTITIONS
    return Record(
        "interactions.movies", partition, offset, START + offset, user.encode(), json.dumps(value).encode()
    )


def test_one_learns_and_the_other_hears_of_it() -> None:
    shared: list[bytes] = []
    one, two = made(0, [event("ann", n) for n in range(8)], shared), made(1, [], shared)
    for _ in range(3):
        one.turn()
        two.turn()
    assert one.pipeline.arms.full.learned == two.pipeline.arms.full.learned == [8]
    state = two.pipeline.state()["shards"]
    place = "interactions.movies", partition_of(b"ann", PARTITIONS)
    assert state["applied"] == state["judged"] == [[*place, 8]]
    assert state["facts"] == len(shared)


def test_one_process_alone_has_no_trace_of_shards() -> None:
    alone = made(0, [event("ann", n) for n in range(8)], [], count=1)
    alone.turn()
    assert alone.pipeline.arms.full.learned == [8]
    assert alone.pipeline.sharing is None
    assert alone.facts.sent == 0
    assert "shards" not in alone.pipeline.state()


def test_an_event_in_a_wrong_partition_is_sent_on_and_not_learned() -> None:
    one = made(0, [event("ann", 0), event("ann", 1, wrong=True), *(event("ann", n) for n in (2, 3))], [])
    one.turn()
    assert one.pipeline.arms.full.learned == [3]
    (letter,) = one.rerouted.letters
    came = Record("crosscurrent.reroute", 0, 0, START, letter.key, letter.value)
    two = made(1, [came, came._replace(offset=1), came._replace(offset=2), came._replace(offset=3)], [])
    two.turn()
    assert two.pipeline.arms.full.learned == [1], "and what was sent twice is learned once"
    assert two.pipeline.totals["duplicates"] == 3


def test_reading_pauses_while_nobody_hears() -> None:
    one = made(0, [event("ann", n) for n in range(4)], [])
    one.facts.held = True
    one.turn()
    for _ in range(25):
        one.turn()
    assert one.pipeline.sharing is not None
    assert one.pipeline.sharing.blocked()
    assert "reading pauses" in (one.pipeline.sharing.problem() or "")
    assert not one.pipeline.finish(), "it says that not everything was published"
