"""A registry that is away only delays: the state is the same as with a registry that always answers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from consumers.config.loader import build
from consumers.events.record import Record
from consumers.formats.registry import Registry, Schema, SchemaUnavailable
from consumers.service.pipeline import Pipeline
from models.state.snapshot import snapshot
from tests.support.doubles import ListSink, ListSource
from tests.support.learners.states import decoded, differences
from tests.support.log.formats import avro
from tests.support.log.one_log import BATCH, START
from tests.support.log.registry import avro_body, framed, record
from tests.support.service.pipelines import list_pipeline

SETTINGS = build(
    {
        "schema_registry": {"url": "http://registry:8081"},
        "domains": {"movies": {"interactions": {"format": "avro"}}, "books": {"role": "target"}},
        "intake": {"batch_events": BATCH},
        "learner": {"users": 64, "items_per_domain": 64},
    }
)
EVENT = record("Event", ("type", "string"), ("user_id", "string"), ("item_id", "string"), ("value", "double"))
KNOWN = 4
"""Schemas of the registry; it does not have a fifth."""


def log() -> list[Record]:
    """Return movies in Avro by four schemas and an unknown one, and books in JSON, in turn."""
    rng, records = random.Random(0), list[Record]()
    for n in range(120):
        value = {
            "type": "rating",
            "user_id": f"u{n % 9}",
            "item_id": f"i{n % 13}",
            "value": float(rng.randint(1, 5)),
        }
        topic = "interactions.books" if n % 3 == 0 else "interactions.movies"
        number = 1 + n // 24
        data = (
            framed(number, avro_body(EVENT, value))
            if n % 3
            else b'{"type": "click", "user_id": "u", "item_id": "i"}'
        )
        offset = sum(one.topic == topic for one in records)
        records.append(Record(topic, 0, offset, START + 1000 * n, b"k", data))
    return records


LOG = log()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """Return for each id the number of failed answers before the registry gives the schema."""
    failures: dict[int, int] = {}

    def schema(_self: Registry, number: int) -> Schema:
        if failures.get(number, 0):
            failures[number] -= 1
            raise SchemaUnavailable("it is away")
        return avro(EVENT) if number <= KNOWN else avro(EVENT)._replace(kind="JSON")

    monkeypatch.setattr(Registry, "schema", schema)
    monkeypatch.setattr("consumers.service.stages.intake_stage.LEAST_BACKOFF", 0.0)
    return failures


def steps(running: Pipeline, source: ListSource, least: int = BATCH) -> Iterator[None]:
    while not source.exhausted or len(running.intake.records()) >= least:
        running.step()
        yield


def run(poll: int) -> tuple[dict[str, Any], list[Any], int]:
    """Return the last state, the dead letters, and the steps in which a record waited for its schema."""
    source, sink = ListSource(LOG, poll), ListSink()
    running = list_pipeline(SETTINGS, source, sink)
    running.restore()
    waited = 0
    for _ in steps(running, source):
        waited += running.intake.problem is not None
    assert running.intake.problem is None
    return decoded(snapshot(running.state())), sink.letters, waited


@pytest.mark.parametrize("poll", [1, 7, 500])
def test_the_state_is_the_same(answers: dict[int, int], poll: int) -> None:
    """Waiting records keep their place before all others, and no additional dead letter appears."""
    whole, letters, waited = run(poll)
    assert waited == 0
    assert len(letters) == 16
    answers |= {1: 3, 2: 1, 4: 5, 5: 2}
    after, same, waited = run(poll)
    assert answers == dict.fromkeys(answers, 0)
    assert waited == 11
    assert same == letters
    assert differences(whole, after) == []


def test_a_stop_while_records_wait_loses_none(answers: dict[int, int]) -> None:
    """After a crash the waiting record comes first. Before, it counts as lag, and `problem` names its topic."""
    whole, _, _ = run(7)
    answers[3] = 10
    source = ListSource(LOG, 7)
    first = list_pipeline(SETTINGS, source)
    first.restore()
    for _ in steps(first, source):
        if first.intake.problem is not None:
            break
    assert first.intake.problem == "it is away; interactions.movies waits"
    waiting = first.intake.records()
    assert LOG[49] in waiting
    first.step()
    assert first.intake.records() == waiting[len(waiting) - len(first.intake.records()) :]
    state = decoded(snapshot(first.state()))
    answers.clear()
    second = list_pipeline(SETTINGS, source)
    second.load(state)
    source.start(second.offsets, state["identity"])
    for _ in steps(second, source):
        pass
    assert differences(whole, decoded(snapshot(second.state()))) == []
