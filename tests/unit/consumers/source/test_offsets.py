"""The state has an offset of every place, so that a restart can tell a quiet place from a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from consumers.events.record import Offsets, Record
from consumers.service.saving.checkpointer import Checkpointer
from consumers.source.protocol import NEVER, Times
from tests.support.doubles import ListSource
from tests.support.log.one_log import LOG, pipeline, run_out

QUIET = ("interactions.movies", 7)


class Told(ListSource):
    """A log with a partition whose records all expired unread. It remembers what it was started with."""

    def __init__(self) -> None:
        super().__init__(LOG[:100], 40, begins={QUIET: 500})
        self.started: list[tuple[Offsets, bool]] = []

    def start(self, offsets: Offsets, identity: Any, complete: bool = True, at_end: Times = NEVER) -> Offsets:
        self.started.append((dict(offsets), complete))
        return super().start(offsets, identity, complete, at_end)


def test_a_quiet_partition_is_in_the_state_and_committed(tmp_path: Path) -> None:
    """A partition from which nothing was learned has an offset for the next start and for lag tools."""
    source = Told()
    for _ in range(2):
        checkpointer = Checkpointer(tmp_path, 3600.0, lambda offsets, _: source.commit(offsets))
        running = pipeline(source, checkpointer=checkpointer)
        running.restore()
        run_out(running, source)
        running.finish()
        checkpointer.close()
    ends = {
        (record.topic, record.partition): record.offset + 1
        for record in source.records
        if isinstance(record, Record)
    }
    known = source.committed
    assert known.keys() == {*ends, QUIET}
    assert known[QUIET] == 500
    assert source.started == [({}, True), (known, True)]


def test_a_state_of_an_earlier_version_says_that_places_may_be_missing() -> None:
    """A state of an earlier version has no offset of such places."""
    running = pipeline(ListSource(LOG))
    running.restore()
    state = running.state()
    assert state["complete_offsets"]
    del state["complete_offsets"]
    source = Told()
    old = pipeline(source, checkpointer=Loads(state))  # type: ignore[arg-type]
    old.restore()
    assert [complete for _, complete in source.started] == [False]


class Loads:
    """The part of a checkpointer that a start needs."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state

    def load(self) -> dict[str, Any]:
        return self._state

    def mark_clean(self, live: Any, loaded: Any) -> None:
        pass
