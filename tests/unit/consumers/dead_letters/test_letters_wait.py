"""While dead letters are not acknowledged, learning goes on, no checkpoint passes them, and reading is bounded."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from consumers.config.loader import build
from consumers.events.record import Offsets, Record
from tests.support.doubles import ListSink, ListSource
from tests.support.learners.checkpointers import always_due
from tests.support.service.pipelines import clocks_of, list_pipeline

SETTINGS = build({"domains": {"movies": {}}, "intake": {"batch_events": 10, "network_events": 10_000}})
T0 = 1_700_000_000_000
PATIENCE = 60.0


class SilentSink(ListSink):
    """A broker that takes letters and says nothing until `answers` is set."""

    def __init__(self, most: int = 1000) -> None:
        super().__init__()
        self.most = most
        self.answers, self.closed = threading.Event(), threading.Event()
        self.waited: list[int] = []

    def wait(self, count: int, timeout: float | None = None) -> bool:
        self.waited.append(count)
        while not (self.answers.is_set() or self.closed.is_set()):
            if timeout is not None:
                return False
            self.answers.wait(0.01)
        return self.answers.is_set()

    def full(self) -> bool:
        return not self.answers.is_set() and len(self.letters) >= self.most

    def close(self) -> None:
        self.closed.set()


def records(n: int) -> list[Record]:
    """Return records; every fifth cannot be used."""
    event = json.dumps({"type": "click", "user_id": "u", "item_id": "i"}).encode()
    return [
        Record("interactions.movies", 0, k, T0 + k, b"u", b"{" if k % 5 == 0 else event) for k in range(n)
    ]


class Running:
    """Make a pipeline over a list of records and a silent sink, with a checkpoint due at every step."""

    def __init__(
        self, folder: Path, sink: SilentSink, log: list[Record], wall_clock: float = T0 / 1000 + 60
    ) -> None:
        self.written: list[Offsets] = []
        self.checkpointer = always_due(folder, lambda offsets, _: self.written.append(offsets))
        self.source = ListSource(log, poll_records=10)
        self.pipeline = list_pipeline(
            SETTINGS, self.source, sink, self.checkpointer, clocks=clocks_of(lambda: 0.0, wall_clock)
        )
        self.arms = self.pipeline.arms
        self.pipeline.restore()

    def close(self) -> None:
        self.pipeline.sink.close()
        self.checkpointer.close()


def test_learning_goes_on_and_the_checkpoint_waits(tmp_path: Path) -> None:
    """No step waits for the broker, and the saved state covers no letter that was not acknowledged."""
    sink = SilentSink()
    running = Running(tmp_path, sink, records(50))
    for _ in range(5):
        running.pipeline.step()
    assert (running.pipeline.totals["learned"], len(sink.letters)) == (40, 10)
    assert running.written == []
    assert len(sink.waited) <= 1  # by the thread that writes; the first checkpoint still waits
    sink.answers.set()
    running.checkpointer.poll(wait=True)
    assert running.written == [{("interactions.movies", 0): 10}]
    running.pipeline.step()
    running.checkpointer.poll(wait=True)
    assert running.written[-1] == {("interactions.movies", 0): 50}
    running.close()


def test_reading_pauses_past_the_bound(tmp_path: Path) -> None:
    """At the bound of waiting letters reading pauses, and goes on once the broker answers."""
    sink = SilentSink(most=4)
    running = Running(tmp_path, sink, records(100))
    for _ in range(8):
        running.pipeline.step()
    assert len(sink.letters) == 4
    assert running.pipeline.totals["learned"] == 16
    sink.answers.set()
    while not running.source.exhausted:
        running.pipeline.step()
    assert len(sink.letters) == 20
    running.close()


def test_a_stop_with_letters_that_wait(tmp_path: Path) -> None:
    """A stop waits a bounded time, then ends without a checkpoint. The next start reads those records again."""
    sink = SilentSink()
    running = Running(tmp_path, sink, records(30))
    for _ in range(3):
        running.pipeline.step()
    running.pipeline.finish(timeout=0.1)
    assert running.written == []
    running.close()
    again = SilentSink()
    again.answers.set()
    second = Running(tmp_path, again, records(30))
    assert second.pipeline.offsets == {("interactions.movies", 0): 0}
    for _ in range(3):
        second.pipeline.step()
    second.pipeline.finish()
    assert second.written[-1] == {("interactions.movies", 0): 30}
    assert again.letters == sink.letters
    second.close()


def test_a_state_that_stopped_in_a_year_to_come(tmp_path: Path) -> None:
    """At its start the pipeline tells the learner the time, so a checkpoint from before times were bounded works."""
    sink = SilentSink()
    sink.answers.set()
    first = Running(tmp_path, sink, records(20))
    first.arms.full.clock.load({"newest": [1.7e12]})
    first.pipeline.step()
    first.pipeline.finish()
    assert first.arms.full.newest[0] == 1.7e12
    first.close()
    now = T0 / 1000 + 3600
    second = Running(tmp_path, sink, records(40), wall_clock=now)
    assert second.arms.full.newest[0] == pytest.approx(now + 300)
    assert float(second.arms.full.history.rings().time.max()) <= now + 300
    second.pipeline.finish()
    second.close()
    third = Running(tmp_path, sink, records(40), wall_clock=now)  # and the corrected state is saved
    assert third.arms.full.newest[0] == pytest.approx(now + 300)
    assert float(third.arms.full.history.rings().time.max()) <= now + 300
    third.close()


def test_the_letter_says_why(tmp_path: Path) -> None:
    """The header `detail` holds what the decoder found."""
    sink = SilentSink()
    bad: dict[str, Any] = {"type": "click", "user_id": 42, "item_id": "i"}
    far = Record("interactions.movies", 0, 1, T0 * 1000, b"u", records(2)[1].value)
    running = Running(tmp_path, sink, [records(1)[0]._replace(value=json.dumps(bad).encode()), far])
    running.pipeline.step()
    first, second = (dict(letter.headers) for letter in sink.letters)
    assert first["detail"].startswith(
        b"user_id: found a whole number, allowed: a string of 1 to 256 characters"
    )
    assert second["reason"] == b"future_timestamp"
    assert second["detail"].endswith(b"at most 5 minutes after the clock of the service")
    running.close()
