"""The loop takes steps of the network beside the next batch, alone when none comes, and at once where none can."""

from __future__ import annotations

import json

from consumers.config.loader import build
from consumers.events.record import Record
from consumers.service.pipeline import Pipeline
from consumers.service.wiring import Ends, wired
from consumers.sharing.network_role import NetworkEnds
from models.sharing.packing import pack
from models.text.encoder import HashingEncoder
from serving.client.pseudonyms import Pseudonyms
from serving.metrics import Metrics
from serving.shard_metrics import ShardMetrics
from tests.support.clock import Clock
from tests.support.doubles import ListSink, ListSource, SyncEncoding
from tests.support.learners.facts import clicks
from tests.support.log.memory_facts import MemoryFacts
from tests.support.service.pipelines import LATER, clocks_of

START, LATER_MS, STEP = 1_700_000_000_000, 1_700_000_100_000, 8


def click(offset: int) -> Record:
    value = {"type": "click", "user_id": f"u{offset % 5}", "item_id": f"m{offset % 7}"}
    return Record(
        "interactions.movies", 0, offset, START + offset, b"u%d" % (offset % 5), json.dumps(value).encode()
    )


def forget(offset: int) -> Record:
    request = json.dumps({"timestamp": LATER_MS}).encode()
    return Record("crosscurrent.forget", 0, offset, LATER_MS, Pseudonyms().mark("u1").encode(), request)


def pipeline(clock: Clock, records: list[Record], poll: int = STEP) -> Pipeline:
    """Return the loop of one process, which learns `poll` records together and takes a step on 8 events."""
    intake = {"batch_events": poll, "network_events": STEP}
    settings = build({"domains": {"movies": {}}, "intake": intake})
    ends = Ends(ListSource(records, poll_records=poll), ListSink(), SyncEncoding(HashingEncoder()))
    made = wired(settings, ends, Metrics(), clocks_of(clock, LATER))
    made.restore()
    return made


def test_a_step_is_taken_beside_the_next_batch() -> None:
    made = pipeline(Clock(), [click(n) for n in range(2 * STEP)])
    made.step()
    assert (made.totals["learned"], made.arms.full.model, made.arms.full.waiting) == (STEP, 0, STEP)
    made.step()
    assert (made.totals["learned"], made.arms.full.model, made.arms.full.waiting) == (2 * STEP, 1, STEP)


def test_without_a_batch_a_step_waits_until_its_events_are_old() -> None:
    clock = Clock()
    made = pipeline(clock, [click(n) for n in range(STEP)])
    for _ in range(3):
        made.step()
    assert (made.totals["learned"], made.arms.full.model) == (STEP, 0)
    clock.now += 1.0
    made.step()
    assert (made.arms.full.model, made.arms.full.waiting) == (1, 0)


def test_a_batch_without_interactions_does_not_keep_a_step_waiting() -> None:
    """The user who is forgotten is no longer among the events of the step."""
    made = pipeline(Clock(), [*(click(n) for n in range(STEP)), *(forget(n) for n in range(STEP))])
    made.step()
    assert ("u1" in made.arms.full.users, made.arms.full.model) == (True, 0)
    made.step()
    assert ("u1" in made.arms.full.users, made.arms.full.model) == (False, 1)
    assert made.arms.full.waiting == 0


def test_the_process_that_trains_for_all_shards_takes_a_step_when_it_is_due() -> None:
    clock, written = Clock(), list[bytes]()
    settings = build(
        {"domains": {"movies": {}}, "shards": {"count": 2, "index": 0}, "intake": {"network_events": STEP}}
    )
    facts = MemoryFacts([pack(clicks("movies", range(STEP)))], clock, written)
    ends = Ends(
        ListSource([]), ListSink(), SyncEncoding(HashingEncoder()),
        network=NetworkEnds(facts, ShardMetrics()),
    )  # fmt: skip
    made = wired(settings, ends, Metrics(), clocks_of(clock, LATER))
    made.restore()
    made.step()
    assert (made.arms.full.model, made.arms.full.waiting) == (1, 0)
