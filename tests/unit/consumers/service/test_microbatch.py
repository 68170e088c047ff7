"""Micro-batches lose no record, repeat none, keep the order, and have the right offsets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.events.record import Record
from consumers.events.rejection import Rejection
from consumers.service.stages.microbatch import LIVE_EVENTS, Batch, Batcher
from tests.support.clock import Clock

REJECTED = Rejection("null_value", "d")


def record(partition: int, offset: int) -> Record:
    return Record("t", partition, offset, 0, None, None)


def fill(batcher: Batcher, n: int, start: int = 0) -> None:
    for offset in range(start, start + n):
        batcher.add(record(0, offset), REJECTED)


def offsets(batch: Batch | None) -> list[int]:
    assert batch is not None
    return [r.offset for r, _ in batch.entries]


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 2)),
        st.tuples(st.just("wait"), st.floats(0, 2)),
        st.tuples(st.just("take"), st.booleans()),
    ),
    max_size=80,
)


@settings(max_examples=100, deadline=None)
@given(ACTIONS, st.integers(1, 7))
def test_every_record_lands_in_exactly_one_batch(actions: list[tuple[str, float]], size: int) -> None:
    """All batches joined are the added records in their order, for any additions and takes."""
    clock = Clock(100.0)
    batcher = Batcher(size, 1.0, clock)
    added: list[Record] = []
    batches: list[Batch] = []
    for what, value in actions:
        if what == "add":
            added.append(record(int(value), sum(r.partition == value for r in added)))
            batcher.add(added[-1], REJECTED)
        elif what == "wait":
            clock.now += value
        elif (batch := batcher.take(flush=bool(value))) is not None:
            batches.append(batch)
    while (batch := batcher.take(flush=True)) is not None:
        batches.append(batch)
    assert [r for batch in batches for r, _ in batch.entries] == added
    assert len(batcher) == 0
    assert all(1 <= len(batch.entries) <= size for batch in batches)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 9))
def test_offsets_are_the_next_to_read(partitions: list[int], size: int) -> None:
    """The merged offsets of any number of batches point at the first record that is in none."""
    batcher = Batcher(size, 1.0, Clock(100.0))
    seen = dict.fromkeys(range(4), 0)
    for partition in partitions:
        batcher.add(record(partition, seen[partition]), REJECTED)
        seen[partition] += 1
    resume: dict[tuple[str, int], int] = {}
    left = list(partitions)
    while (batch := batcher.take(flush=True)) is not None:
        resume.update(batch.offsets)
        assert set(batch.offsets) == {("t", r.partition) for r, _ in batch.entries}
        left = left[len(batch.entries) :]
        for partition, count in seen.items():
            assert resume.get(("t", partition), 0) == count - left.count(partition)
    assert left == []


def test_offsets_follow_gaps_in_the_log() -> None:
    """In a compacted log offsets have gaps; the next one to read is the last seen plus one."""
    batcher = Batcher(2, 1.0, Clock(100.0))
    for offset in (5, 90):
        batcher.add(record(3, offset), REJECTED)
    batch = batcher.take()
    assert batch is not None
    assert batch.offsets == {("t", 3): 91}


def test_a_full_batch_is_due_at_once() -> None:
    """A full count makes a batch due, and the rest stays for the next one."""
    batcher = Batcher(3, 1.0, Clock(100.0))
    fill(batcher, 2)
    assert batcher.take() is None
    fill(batcher, 5, start=2)
    assert offsets(batcher.take()) == [0, 1, 2]
    assert offsets(batcher.take()) == [3, 4, 5]
    assert batcher.take() is None
    assert len(batcher) == 1


def test_enough_records_wait_for_no_others() -> None:
    """A batch takes what is there, up to its size, as soon as it is worth it."""
    batcher = Batcher(100, 1.0, Clock(100.0))
    fill(batcher, LIVE_EVENTS - 1)
    assert batcher.take() is None
    fill(batcher, 5, start=LIVE_EVENTS - 1)
    assert offsets(batcher.take()) == list(range(LIVE_EVENTS + 4))


def test_a_record_has_waited_since_it_may_have_come() -> None:
    """Time that a record has spent in the log, while another batch was learned, counts."""
    batcher = Batcher(100, 0.5, Clock(100.0))
    batcher.add(record(0, 0), REJECTED, since=99.8)
    batcher.add(record(0, 1), REJECTED, since=100.0)
    assert batcher.wait() == pytest.approx(0.3)


def test_age_makes_a_partial_batch_due() -> None:
    """A single record waits no longer than the age limit."""
    clock = Clock(100.0)
    batcher = Batcher(100, 0.5, clock)
    fill(batcher, 1)
    clock.now += 0.25
    assert batcher.take() is None
    fill(batcher, 1, start=1)  # a later one does not make the first wait longer
    assert batcher.wait() == 0.25
    clock.now += 0.25
    assert batcher.wait() == 0.0
    assert offsets(batcher.take()) == [0, 1]


def test_age_starts_with_the_first_record() -> None:
    """An idle hour does not make the next record old."""
    clock = Clock(100.0)
    batcher = Batcher(100, 0.5, clock)
    assert batcher.wait() == 0.5
    assert batcher.take(flush=True) is None
    clock.now += 3600
    fill(batcher, 1)
    assert batcher.wait() == 0.5
    assert batcher.take() is None
    assert offsets(batcher.take(flush=True)) == [0]


def test_decoded_stays_with_its_record() -> None:
    """An entry holds the record and its decoded value."""
    batcher = Batcher(2, 1.0, Clock(100.0))
    other = Rejection("bad_id", "d")
    batcher.add(record(0, 0), REJECTED)
    batcher.add(record(0, 1), other)
    batch = batcher.take()
    assert batch is not None
    assert batch.entries == [(record(0, 0), REJECTED), (record(0, 1), other)]
