"""A restart after exit code 3 stops at the same record, because the windows are in the state."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from consumers.config.loader import build
from consumers.dead_letters.sink import Limits
from consumers.errors import Stop
from consumers.events.record import Record
from consumers.service.pipeline import Pipeline
from tests.support.doubles import ListSink, ListSource
from tests.support.service.pipelines import list_pipeline

GOOD = b'{"type":"click","user_id":"u","item_id":"i"}'
SETTINGS = build({"domains": {"movies": {}}, "intake": {"batch_events": 16, "max_consecutive_invalid": 40}})


def log(values: Sequence[bytes]) -> list[Record]:
    start = 1_700_000_000_000
    return [Record("interactions.movies", 0, n, start + n, b"u", value) for n, value in enumerate(values)]


def pipeline(source: ListSource) -> tuple[Pipeline, ListSink]:
    sink = ListSink()
    return list_pipeline(SETTINGS, source, sink), sink


def run(running: Pipeline, source: ListSource) -> None:
    while not source.exhausted:
        running.step()


def test_the_same_record_stops_it_again() -> None:
    """Two starts later the offsets are where they were, and the message names the same record."""
    records, said, ends, letters = log([GOOD] * 20 + [b"{"] * 200), [], [], []
    state = None
    for _ in range(3):
        source = ListSource(records, 7)
        running, sink = pipeline(source)
        running.restore()
        if state is not None:
            running.load(state)
            source.start(running.offsets, state["identity"])
        with pytest.raises(Stop) as stop:
            run(running, source)
        state = running.state()
        said.append(str(stop.value))
        ends.append(dict(running.offsets))
        letters.append(len(sink.letters))
    assert said[0] == said[1] == said[2]
    assert "up to offset 60" in said[0]
    assert ends[0] == ends[1] == ends[2] == {("interactions.movies", 0): 48}
    assert letters == [41, 13, 13]


def test_windows_round_trip() -> None:
    """A loaded window goes on counting where the saved one ended, for each partition alone."""
    one, two = Limits(0.5, 3, window=4), Limits(0.5, 3, window=4)
    for record, bad in zip(log([b""] * 6), [True, False, True, True, False, True], strict=True):
        one.add(record, bad)
        one.add(record._replace(partition=1), not bad)
    two.load(one.state())
    assert two.state() == one.state()
    with pytest.raises(Stop, match="partition 0: 3 of the last 4"):
        two.count(log([b""])[0], invalid=True)
    two.count(log([b""])[0]._replace(partition=1), invalid=True)
