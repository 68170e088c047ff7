"""The state law: `state(crash anywhere + resume) == state(no crash)`, bit for bit, on one recorded sequence."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.config.loader import build
from consumers.dead_letters.sink import DeadLetter
from consumers.events.record import Record
from consumers.service.checkpoint_writer import Checkpointer
from consumers.service.pipeline import Pipeline
from models.state.snapshot import Snapshot, joined, snapshot
from serving.pseudonyms import Pseudonyms
from tests.support.clock import Clock
from tests.support.doubles import Abort, ListSink, ListSource
from tests.support.pipelines import clocks_of, list_pipeline
from tests.support.states import differences

torch.set_num_threads(1)

BATCH = 16
START = 1_700_000_000_000
SETTINGS = build(
    {
        "domains": {"movies": {}, "books": {"role": "target"}},
        "kafka": {"forget_topic": "forget"},
        "intake": {"batch_events": BATCH, "network_events": 2 * BATCH, "dedup_events": 50},
        "learner": {"users": 64, "items_per_domain": 64},
    }
)


def log() -> list[Record]:
    """Items, ratings, clicks, duplicates, tombstones and poison over several partitions, interleaved."""
    rng, ends, records = random.Random(0), dict[tuple[str, int], int](), list[Record]()

    def add(topic: str, key: str, value: Any) -> None:
        place = (topic, rng.randrange(2) if topic.startswith("inter") else 0)
        ends[place] = offset = ends.get(place, -1) + 1 + (rng.random() < 0.05)  # some offsets are missing
        data = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
        records.append(Record(*place, offset, START + 1000 * len(records), key.encode(), data))

    words = ["dark", "red", "happy", "sad", "old", "new", "sea", "star"]
    for n in range(270):
        if n in (130, 190, 191):
            request = {"timestamp": START + 1000 * len(records)}
            for user in (f"u{k}" for k in range(n % 10, 80, 7)):
                add("forget", Pseudonyms().mark(user), request)
        domain, roll = rng.choice(["movies", "books"]), rng.random()
        user, item = f"u{rng.randrange(80)}", f"{domain[0]}{int(rng.paretovariate(0.7)) % 70}"
        if n < 90 or roll < 0.08:
            item = f"{domain[0]}{n % 70}"
            title = f"{rng.choice(words)} {rng.choice(words)} {n}"
            fields = {"item_id": item, "title": title, "available": rng.random() < 0.95}
            add(f"items.{domain}", item, fields)
        elif roll < 0.11:
            add(f"items.{domain}", item, None)
        elif roll < 0.15:
            add(f"interactions.{domain}", user, rng.choice([b"{", b"\xff", None]))
        else:
            event = {"type": "click", "user_id": user, "item_id": item, "event_id": str(rng.randrange(100))}
            if rng.random() < 0.2:
                event["timestamp"] = START + 1000 * rng.randrange(len(records))  # late
            if roll < 0.7:
                event |= {
                    "type": "rating",
                    "value": rng.randint(1, 5),
                    "context": {"device": rng.choice("ab")},
                }
            add(f"interactions.{domain}", user, event)
    return records


LOG = log()


def pipeline(
    source: ListSource,
    sink: ListSink | None = None,
    checkpointer: Checkpointer | None = None,
    clock: Clock | None = None,
) -> Pipeline:
    return list_pipeline(SETTINGS, source, sink, checkpointer, clocks=clocks_of(clock or Clock()))


def checkpointer_in(path: Path) -> Checkpointer:
    """One that finds a checkpoint due at every step."""
    ticks = itertools.count(0, 100)
    return Checkpointer(path, 10.0, lambda _offsets, _seconds: None, lambda: float(next(ticks)))


def run_out(running: Pipeline, source: ListSource) -> None:
    """Steps until the log is read and fewer records than a batch are left."""
    while not source.exhausted or len(running.batcher) >= BATCH:
        running.step()


def decoded(taken: Snapshot) -> dict[str, Any]:
    state: dict[str, Any] = joined(msgspec.msgpack.decode(taken.body), taken.tensors)
    return state


@pytest.fixture(scope="module")
def uncrashed() -> dict[str, Any]:
    """The state after the whole log, without a crash."""
    source = ListSource(LOG)
    running = pipeline(source)
    running.restore()
    run_out(running, source)
    totals = running.totals
    assert min(totals[name] for name in ("learned", "duplicates", "dead_letters", "forgotten", "items")) > 3
    assert totals["forget_requests"] > 20
    return decoded(snapshot(running.state()))


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, len(LOG) - 1),
    st.integers(0, 12),
    st.sampled_from([3, 17, 100, 500]),
)
def test_crash_and_resume(uncrashed: dict[str, Any], crash: int, saved: int, poll: int) -> None:
    """A crash after any record, with the last checkpoint any number of batches earlier, changes not one bit."""
    source = ListSource([*LOG[:crash], Abort(), *LOG[crash:]], poll)
    first = pipeline(source)
    first.restore()
    taken = [snapshot(first.state())]
    with contextlib.suppress(Abort):
        while not source.exhausted:
            first.step()
            taken.append(snapshot(first.state()))
    assert not source.exhausted
    state = decoded(taken[max(0, len(taken) - 1 - saved)])
    second = pipeline(source)
    second.load(state)
    source.start(second.offsets, state["identity"])
    run_out(second, source)
    assert differences(uncrashed, decoded(snapshot(second.state()))) == []


def test_many_crashes_through_the_directory(uncrashed: dict[str, Any], tmp_path: Path) -> None:
    """Crash after crash, each resumed from what is on disk, by way of the real checkpointer."""
    crashes = [20, 75, 76, 140, 200, 255]
    records: list[Record | Abort] = []
    for n, record in enumerate(LOG):
        records += [Abort(), record] if n in crashes else [record]
    source, sink = ListSource(records, 10), ListSink()
    for life in range(len(crashes) + 1):
        checkpointer = checkpointer_in(tmp_path)
        running = pipeline(source, sink, checkpointer)
        running.restore()
        try:
            run_out(running, source)
        except Abort:
            assert life < len(crashes)
        finally:
            checkpointer.poll(wait=True)
            checkpointer.close()
    assert source.exhausted
    assert differences(uncrashed, decoded(snapshot(running.state()))) == []


def test_each_event_is_learned_exactly_once() -> None:
    """Counts after a crash are those of the log: nothing lost, nothing learned twice."""
    source = ListSource([*LOG[:200], Abort(), *LOG[200:]], 50)
    clock = Clock()
    first = pipeline(source, clock=clock)
    first.restore()
    state = decoded(snapshot(first.state()))
    with contextlib.suppress(Abort):
        while not source.exhausted:
            first.step()
            state = decoded(snapshot(first.state()))
    assert not source.exhausted
    second = pipeline(source, clock=clock)
    second.load(state)
    source.start(second.offsets, state["identity"])
    run_out(second, source)
    clock.now += 10.0  # the last batch is due
    second.step()
    plain_source = ListSource(LOG)
    plain = pipeline(plain_source, clock=clock)
    plain.restore()
    run_out(plain, plain_source)
    clock.now += 10.0
    plain.step()
    assert second.arms.full.learned == plain.arms.full.learned
    totals = plain.totals
    assert sum(plain.arms.full.learned) == totals["learned"]
    assert totals["interactions"] == totals["learned"] + totals["duplicates"] + totals["forgotten"]
    ends = {(r.topic, r.partition): r.offset + 1 for r in LOG}
    assert second.offsets == plain.offsets == ends


def test_dead_letters_after_a_crash_are_the_same_letters() -> None:
    """A dead letter may appear twice, with equal headers; none is missing and none is new."""

    def letters(records: list[Record | Abort]) -> list[DeadLetter]:
        source, sink = ListSource(records, 40), ListSink()
        running = pipeline(source, sink)
        running.restore()
        state = decoded(snapshot(running.state()))
        while not source.exhausted:
            try:
                running.step()
                state = decoded(snapshot(running.state()))
            except Abort:
                running = pipeline(source, sink)
                running.load(state)
                source.start(running.offsets, state["identity"])
        return sink.letters

    plain = letters(list(LOG))
    crashed = letters([*LOG[:230], Abort(), *LOG[230:]])
    assert len(plain) > 3
    assert len(crashed) >= len(plain)
    assert {repr(x) for x in crashed} == {repr(x) for x in plain}
