"""The state law: `state(crash anywhere + resume) == state(no crash)`, bit for bit, on one recorded sequence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.dead_letters.sink import DeadLetter
from consumers.events.record import Record
from models.state.snapshot import snapshot
from tests.support.clock import Clock
from tests.support.doubles import Abort, ListSink, ListSource
from tests.support.learners.checkpointers import always_due
from tests.support.learners.states import decoded, differences
from tests.support.log.crashes import resumed, until_abort
from tests.support.log.one_log import LOG, pipeline, run_out


@pytest.fixture(scope="module")
def uncrashed() -> dict[str, Any]:
    """Return the state after the whole log, without a crash."""
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
    """A crash after any record, with a checkpoint any number of batches earlier, does not change a bit."""
    source = ListSource([*LOG[:crash], Abort(), *LOG[crash:]], poll)
    first = pipeline(source)
    taken = [snapshot(first.state()) for _ in until_abort(first, source)]
    second = resumed(pipeline, source, decoded(taken[max(0, len(taken) - 1 - saved)]))
    assert differences(uncrashed, decoded(snapshot(second.state()))) == []


def test_many_crashes_through_the_directory(uncrashed: dict[str, Any], tmp_path: Path) -> None:
    """The law holds over many crashes, each resumed from the real checkpointer's disk."""
    crashes = [20, 75, 76, 140, 200, 255]
    records: list[Record | Abort] = []
    for n, record in enumerate(LOG):
        records += [Abort(), record] if n in crashes else [record]
    source, sink = ListSource(records, 10), ListSink()
    for life in range(len(crashes) + 1):
        checkpointer = always_due(tmp_path)
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
    """Counts after a crash are those of the log: no event is lost or learned twice."""
    source = ListSource([*LOG[:200], Abort(), *LOG[200:]], 50)
    clock = Clock()
    first = pipeline(source, clock=clock)
    for _ in until_abort(first, source):
        state = decoded(snapshot(first.state()))
    second = resumed(lambda again: pipeline(again, clock=clock), source, state)
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
