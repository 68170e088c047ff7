"""When checkpoints are taken, who may take them, and what is reported when."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.errors import STATE_UNUSABLE, USAGE, Stop
from consumers.events.record import Offsets
from consumers.service import checkpoint_writer as checkpointer_module
from consumers.service.checkpoint_writer import Checkpointer
from models.state import checkpoint
from models.state.checkpoint import CheckpointDirectory
from models.state.dirty_keys import Touched
from models.state.snapshot import snapshot
from models.state.tracked_tables import Live, Rows
from tests.support.clock import Clock


class Kept(Checkpointer):
    """A checkpointer that remembers what it reported."""

    def __init__(self, path: Path, interval: float = 10.0, whole_mb: float = 32.0) -> None:
        self.clock = Clock()
        self.written: list[Offsets] = []
        super().__init__(
            path, interval, lambda offsets, _seconds: self.written.append(offsets), self.clock, whole_mb
        )


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    checkpointer = Kept(tmp_path / "c")
    yield checkpointer
    checkpointer.close()


def test_due_after_the_interval(kept: Kept) -> None:
    """Not at once, but from the interval on; not again while one is being written."""
    assert not kept.due()
    kept.clock.now = 10.0
    assert kept.due()
    kept.take({"n": 1}, {})
    kept.clock.now = 30.0
    assert not kept.due()
    kept.poll(wait=True)
    assert kept.due()


def test_reported_only_once_on_disk(kept: Kept) -> None:
    """`written` hears of the offsets after the folder is there, by `poll`, once."""
    offsets: Offsets = {("t", 0): 5}
    kept.take({"n": 1}, offsets)
    offsets["t", 0] = 99  # the stream goes on meanwhile
    assert kept.written == []
    kept.poll(wait=True)
    assert kept.written == [{("t", 0): 5}]
    assert kept.load() == {"n": 1}
    kept.poll(wait=True)
    assert len(kept.written) == 1


def test_age_counts_from_the_last_good_one(kept: Kept) -> None:
    """Seconds since the last checkpoint that reached the disk, or since the start."""
    kept.clock.now = 7.0
    assert kept.age() == 7.0
    kept.take({}, {})
    kept.poll(wait=True)
    kept.clock.now = 9.0
    assert kept.age() == 2.0


def test_a_failed_write_stops_and_reports_nothing(kept: Kept, tmp_path: Path) -> None:
    """The directory vanished: exit code 4, and no offsets are committed."""
    shutil.rmtree(tmp_path / "c")
    kept.take({"n": 1}, {("t", 0): 5})
    with pytest.raises(Stop, match="nothing was committed") as caught:
        kept.poll(wait=True)
    assert caught.value.code == STATE_UNUSABLE
    assert kept.written == []


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Writes fail with `errno` while it is not 0."""
    state = {"errno": 0}
    real = checkpoint._write

    def write(path: Path, data: bytes) -> None:
        if state["errno"] and path.name == "state.msgpack":
            raise OSError(state["errno"], os.strerror(state["errno"]))
        real(path, data)

    monkeypatch.setattr(checkpoint, "_write", write)
    return state


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_is_a_problem_until_there_is(
    kept: Kept, tmp_path: Path, disk: dict[str, int], number: int
) -> None:
    """Nothing is reported, nothing half-written stays, tries come every 2 s; the first that succeeds ends it."""
    disk["errno"] = number
    kept.take({"n": 1}, {("t", 0): 5})
    kept.poll(wait=True)
    assert kept.problem == f"checkpoint cannot be written: {os.strerror(number)}"
    assert kept.written == []
    assert [p.name for p in (tmp_path / "c").iterdir()] == ["LOCK"]
    kept.clock.now = 1.9
    assert not kept.due()
    kept.clock.now = 2.0
    assert kept.due()
    disk["errno"] = 0
    kept.take({"n": 2}, {("t", 0): 6})
    kept.poll(wait=True)
    assert kept.problem is None
    assert kept.written == [{("t", 0): 6}]
    assert not kept.due()
    kept.finish()


def test_no_room_at_the_end_stops(kept: Kept, disk: dict[str, int]) -> None:
    """There is no later try: exit code 4, nothing committed, and the line says what to do."""
    disk["errno"] = errno.ENOSPC
    kept.take({"n": 1}, {("t", 0): 5})
    with pytest.raises(Stop, match=r"No space left.*nothing was committed\. Make room") as caught:
        kept.finish()
    assert caught.value.code == STATE_UNUSABLE
    assert kept.written == []


def test_another_failure_stops(kept: Kept, disk: dict[str, int]) -> None:
    """An error of the disk itself does not pass by waiting."""
    disk["errno"] = errno.EIO
    kept.take({"n": 1}, {})
    with pytest.raises(Stop, match="nothing was committed"):
        kept.poll(wait=True)


def test_one_process_a_directory(kept: Kept, tmp_path: Path) -> None:
    """A second one stops with exit code 4 and names the directory; after the first is gone it may."""
    with pytest.raises(Stop, match="another process uses it") as caught:
        Kept(tmp_path / "c")
    assert caught.value.code == STATE_UNUSABLE
    kept.close()
    Kept(tmp_path / "c").close()


@pytest.mark.usefixtures("kept")
def test_a_second_process_touches_nothing(tmp_path: Path) -> None:
    """What the first is just writing is not cleared away by a second that is refused."""
    (tmp_path / "c" / "writing-000000000001").mkdir()
    with pytest.raises(Stop):
        Kept(tmp_path / "c")
    assert (tmp_path / "c" / "writing-000000000001").exists()


def test_unusable_directory(tmp_path: Path) -> None:
    """A file where the directory should be: exit code 2 and the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Stop, match="file") as caught:
        Kept(tmp_path / "file")
    assert caught.value.code == USAGE


def test_unusable_checkpoints(kept: Kept, tmp_path: Path) -> None:
    """Checkpoints that cannot be read stop with exit code 4."""
    kept.take({"n": 1}, {})
    kept.poll(wait=True)
    for manifest in (tmp_path / "c").glob("*/manifest.json"):
        manifest.write_text("{}")
    with pytest.raises(Stop, match="no checkpoint in") as caught:
        kept.load()
    assert caught.value.code == STATE_UNUSABLE


def test_no_checkpoint_is_none(kept: Kept) -> None:
    """A first start has no state."""
    assert kept.load() is None


class Counts(Live):
    """One table of a million numbers."""

    def __init__(self) -> None:
        self.values, self.written = np.zeros(1_000_000), Touched()

    def add(self, row: int) -> None:
        self.values[row] += 1.0
        self.written.add(row)

    def live(self) -> dict[str, Any]:
        return {"counts": Rows(self.written, self.values)}


def test_only_what_was_touched_is_written(tmp_path: Path) -> None:
    """After the first, a large table's checkpoints are small; one that found no room is made up for by the next."""
    kept, counts = Kept(tmp_path, whole_mb=1.0), Counts()
    sizes = []
    for row in (3, 5, 7):
        counts.add(row)
        kept.take(counts.live(), {})
        if row == 5:
            kept.poll(wait=True)
            counts.add(6)
            snapshot(counts.live(), increment=True).lost()
            continue
        kept.poll(wait=True)
        sizes.append(sum(f.stat().st_size for f in sorted(tmp_path.glob("0*"))[-1].iterdir()))
    assert sizes[0] > 8_000_000
    assert sizes[1] < 2_000
    kept.close()
    again = Kept(tmp_path, whole_mb=1.0)
    loaded = again.load()
    assert loaded is not None
    assert np.flatnonzero(loaded["counts"]).tolist() == [3, 5, 6, 7]
    other = Counts()
    other.values = loaded["counts"].copy()
    again.settled(other.live(), loaded)
    other.add(9)
    again.take(other.live(), {})
    again.poll(wait=True)
    again.close()
    assert len(list(tmp_path.glob("0*/manifest.json"))) == 1


def test_increments_are_compacted_by_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past a number of them the newest gets a whole state of its own, and nothing that was written is lost."""
    monkeypatch.setattr(checkpointer_module, "MAX_INCREMENTS", 3)
    kept, counts = Kept(tmp_path, whole_mb=1.0), Counts()
    for row in range(4):
        counts.add(row)
        kept.take(counts.live(), {})
        kept.poll(wait=True)
    assert kept._compacting is not None
    assert kept._compacting.process.wait(120) == 0
    counts.add(4)
    kept.take(counts.live(), {})
    kept.poll(wait=True)
    kept.close()
    assert [p.parent.name[-1] for p in sorted(tmp_path.glob("0*/manifest.json"))] == ["1", "4"]
    shutil.rmtree(tmp_path / "000000000001")
    shutil.rmtree(tmp_path / "000000000002")
    loaded, problems = CheckpointDirectory(tmp_path).load()
    assert problems == []
    assert loaded is not None
    assert np.flatnonzero(loaded["counts"]).tolist() == [0, 1, 2, 3, 4]


def test_alone_after_what_is_to_be_forgotten(tmp_path: Path, disk: dict[str, int]) -> None:
    """A small state: whole, and the only one. Where there is no room for it, the next is."""
    kept = Kept(tmp_path)
    for n in range(3):
        kept.take({"n": n}, {("t", 0): n})
        kept.poll(wait=True)
        assert kept.erased == {("t", 0): n}
    disk["errno"] = errno.ENOSPC
    kept.purge_older()
    kept.take({"n": 3}, {("t", 0): 3})
    kept.poll(wait=True)
    assert kept.problem is not None
    assert names(tmp_path) == ["1", "2", "3"]
    disk["errno"] = 0
    kept.take({"n": 4}, {("t", 0): 4})
    kept.poll(wait=True)
    assert names(tmp_path) == ["4"]
    assert kept.erased == {("t", 0): 4}
    kept.close()


def names(path: Path) -> list[str]:
    return [p.name[-1] for p in sorted(path.glob("0*"))]


class Large:
    """A checkpointer of a state that is too large to be copied whole: `counts` holds a row a user."""

    def __init__(self, path: Path) -> None:
        self.path, self.kept, self.counts = path, Kept(path, whole_mb=1.0), Counts()
        self.wholes = 0

    def restart(self) -> None:
        self.kept.close()
        self.kept = Kept(self.path, whole_mb=1.0)
        loaded = self.kept.load()
        assert loaded is not None
        counts = Counts()
        counts.values = loaded["counts"].copy()
        self.kept.settled(counts.live(), loaded)
        self.counts = counts

    def save(self, row: int, last: bool = False) -> None:
        self.counts.add(row)
        self.kept.poll()
        self.kept.take(self.counts.live(), {("t", 0): row}, last=last)
        assert self.kept._running is not None
        self.wholes += not self.kept._running.taken.increment
        self.kept.poll(wait=True)

    def forget(self, row: int) -> None:
        self.counts.values[row] = 0.0
        self.counts.written.drop(row)
        self.kept.purge_older()

    def compacted(self) -> int:
        """Waits for the other process; gives its exit code."""
        assert self.kept._compacting is not None
        return self.kept._compacting.process.wait(120)

    def rows(self) -> list[int]:
        loaded, problems = CheckpointDirectory(self.path, read_only=True).load()
        assert problems == []
        assert loaded is not None
        return np.flatnonzero(loaded["counts"]).tolist()


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Large]:
    made = Large(tmp_path)
    for row in range(3):
        made.save(row)
    yield made
    made.kept.close()


def test_a_large_state_is_not_copied_whole_to_forget(large: Large) -> None:
    """The next checkpoint is an increment; once another process has made it whole, older ones go, and the increment
    beside the whole one, which names what is gone. Until then the requests do not count as carried out."""
    assert large.wholes == 1
    large.forget(1)
    large.save(10)
    large.save(11)
    assert large.wholes == 1
    assert large.kept.erased == {("t", 0): 2}
    assert large.compacted() == 0
    large.save(12)
    assert names(large.path) == ["4", "5", "6"]
    assert sorted(p.name for p in (large.path / "000000000004").iterdir()) == sorted(checkpoint.WHOLE)
    assert large.kept.erased == {("t", 0): 12}
    assert large.wholes == 1
    assert large.rows() == [0, 2, 10, 11, 12]
    assert large.kept._compacting is None


def test_requests_that_keep_coming_do_not_put_each_other_off(large: Large) -> None:
    """While one is being carried out, more come: the first is done when its process is, then one process serves the
    others."""
    large.forget(0)
    large.save(10)
    first = large.kept._compacting
    for row in (1, 2):
        large.forget(row)
        large.save(10 + row)
        assert large.kept._compacting is first
    assert large.compacted() == 0
    large.save(13)
    assert names(large.path) == ["4", "5", "6", "7"]
    assert large.kept.erased == {("t", 0): 10}
    assert large.compacted() == 0
    large.save(14)
    assert names(large.path) == ["7", "8"]
    assert large.kept.erased == {("t", 0): 14}
    assert large.rows() == [10, 11, 12, 13, 14]
    assert large.wholes == 1


def test_a_restart_goes_on_deleting(large: Large) -> None:
    """Stopped between the checkpoint without the user and the deletion of those before it, twice: each checkpoint
    until then says what is still to be done."""
    large.forget(1)
    large.save(10)
    large.restart()
    large.save(11)
    assert large.compacted() == 0
    large.restart()
    assert len(names(large.path)) == 5
    large.save(12)
    assert large.compacted() == 0
    large.save(13)
    assert names(large.path) == ["6", "7"]
    large.save(14)
    large.restart()
    large.save(15)
    assert large.kept._compacting is None
    assert large.wholes == 1
    assert large.rows() == [0, 2, 10, 11, 12, 13, 14, 15]


def test_at_the_end_of_the_stream_older_ones_go_at_once(large: Large) -> None:
    """Nothing waits for a whole copy any more, and the next start may be far; a running compaction is ended."""
    large.forget(1)
    large.save(10)
    running = large.kept._compacting
    assert running is not None
    large.save(11, last=True)
    assert running.process.poll() is not None
    assert names(large.path) == ["5"]
    assert large.wholes == 2
    assert large.rows() == [0, 2, 10, 11]


def test_what_cannot_be_compacted_is_written_whole(large: Large) -> None:
    """A damaged increment: the other process fails three times, then the stream waits for one whole copy."""
    (large.path / "000000000002" / checkpoint.INCREMENT.body).write_bytes(b"")
    large.forget(1)
    for row in range(10, 13):
        large.save(row)
        assert large.compacted() != 0
    assert large.wholes == 1
    large.save(13)
    assert large.wholes == 2
    assert names(large.path) == ["7"]
    assert large.rows() == [0, 2, 10, 11, 12, 13]


def test_many_events_bring_a_checkpoint_early(kept: Kept) -> None:
    """What they touched must not add up to a long stop; while the disk is full they wait like all others."""
    assert not kept.due(9_999)
    assert kept.due(10_000)
    kept.problem = "no room"
    assert not kept.due(10_000)
