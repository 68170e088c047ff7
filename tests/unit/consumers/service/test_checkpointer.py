"""Checkpoints are taken in time, by one process, and reported once they are on disk."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from consumers.errors import STATE_UNUSABLE, USAGE, Stop
from consumers.events.record import Offsets
from consumers.service.saving.checkpoint_policy import CheckpointPolicy
from models.state.checkpoint import CheckpointDirectory
from models.state.snapshot import snapshot
from tests.support.learners.checkpointers import MEGABYTE, Counts, Disk, Kept, wait_for_compaction


@pytest.fixture
def kept(tmp_path: Path, disk: Disk) -> Iterator[Kept]:
    checkpointer = Kept(tmp_path / "c", disk.policy)
    yield checkpointer
    checkpointer.close()


def test_due_after_the_interval(kept: Kept) -> None:
    """A checkpoint is due after the interval, and not while one is being written."""
    assert not kept.due()
    kept.clock.now = 10.0
    assert kept.due()
    kept.take({"n": 1}, {})
    kept.clock.now = 30.0
    assert not kept.due()
    kept.poll(wait=True)
    assert kept.due()


def test_reported_only_once_on_disk(kept: Kept) -> None:
    """`poll` calls `written` with the offsets once the folder exists, and only once."""
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
    """The age counts from the last checkpoint on disk, or from the start."""
    kept.clock.now = 7.0
    assert kept.age() == 7.0
    kept.take({}, {})
    kept.poll(wait=True)
    kept.clock.now = 9.0
    assert kept.age() == 2.0


def test_a_failed_write_stops_and_reports_nothing(kept: Kept, tmp_path: Path) -> None:
    """If the directory has vanished, the exit code is 4, and no offsets are committed."""
    shutil.rmtree(tmp_path / "c")
    kept.take({"n": 1}, {("t", 0): 5})
    with pytest.raises(Stop, match="nothing was committed") as caught:
        kept.poll(wait=True)
    assert caught.value.code == STATE_UNUSABLE
    assert kept.written == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_is_a_problem_until_there_is(kept: Kept, tmp_path: Path, disk: Disk, number: int) -> None:
    """On a full disk nothing is reported and no half file stays. Tries come every 2 s until one succeeds."""
    disk.errno = number
    kept.take({"n": 1}, {("t", 0): 5})
    kept.poll(wait=True)
    assert kept.problem == f"checkpoint cannot be written: {os.strerror(number)}"
    assert kept.written == []
    assert [p.name for p in (tmp_path / "c").iterdir()] == ["LOCK"]
    kept.clock.now = 1.9
    assert not kept.due()
    kept.clock.now = 2.0
    assert kept.due()
    disk.errno = 0
    kept.take({"n": 2}, {("t", 0): 6})
    kept.poll(wait=True)
    assert kept.problem is None
    assert kept.written == [{("t", 0): 6}]
    assert not kept.due()
    kept.finish()


def test_no_room_at_the_end_stops(kept: Kept, disk: Disk) -> None:
    """At the end there is no later try: exit code 4, nothing committed, and the line says what to do."""
    disk.errno = errno.ENOSPC
    kept.take({"n": 1}, {("t", 0): 5})
    with pytest.raises(Stop, match=r"No space left.*nothing was committed\. Make room") as caught:
        kept.finish()
    assert caught.value.code == STATE_UNUSABLE
    assert kept.written == []


def test_another_failure_stops(kept: Kept, disk: Disk) -> None:
    """An error of the disk itself stops the service, because waiting would not help."""
    disk.errno = errno.EIO
    kept.take({"n": 1}, {})
    with pytest.raises(Stop, match="nothing was committed"):
        kept.poll(wait=True)


def test_one_process_a_directory(kept: Kept, tmp_path: Path) -> None:
    """A second process stops with exit code 4 and names the directory; after the end of the first it may start."""
    with pytest.raises(Stop, match="another process uses it") as caught:
        Kept(tmp_path / "c")
    assert caught.value.code == STATE_UNUSABLE
    kept.close()
    Kept(tmp_path / "c").close()


@pytest.mark.usefixtures("kept")
def test_a_second_process_touches_nothing(tmp_path: Path) -> None:
    """A second process that is refused does not delete what the first is writing."""
    (tmp_path / "c" / "writing-000000000001").mkdir()
    with pytest.raises(Stop):
        Kept(tmp_path / "c")
    assert (tmp_path / "c" / "writing-000000000001").exists()


def test_unusable_directory(tmp_path: Path) -> None:
    """A file in place of the directory is exit code 2 with the path."""
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


def test_only_what_was_touched_is_written(tmp_path: Path) -> None:
    """After the first, checkpoints of a large table are small. The next one includes what found no room."""
    kept, counts = Kept(tmp_path, MEGABYTE), Counts()
    sizes = []
    for row in (3, 5, 7):
        counts.add(row)
        kept.take(counts.live(), {})
        if row == 5:
            kept.poll(wait=True)
            counts.add(6)
            snapshot(counts.live(), increment=True).restore_dirty()
            continue
        kept.poll(wait=True)
        sizes.append(sum(f.stat().st_size for f in sorted(tmp_path.glob("0*"))[-1].iterdir()))
    assert sizes[0] > 8_000_000
    assert sizes[1] < 2_000
    kept.close()
    again = Kept(tmp_path, MEGABYTE)
    loaded = again.load()
    assert loaded is not None
    assert np.flatnonzero(loaded["counts"]).tolist() == [3, 5, 6, 7]
    other = Counts()
    other.values = loaded["counts"].copy()
    again.mark_clean(other.live(), loaded)
    other.add(9)
    again.take(other.live(), {})
    again.poll(wait=True)
    again.close()
    assert len(list(tmp_path.glob("0*/manifest.json"))) == 1


def test_increments_are_compacted_by_another_process(tmp_path: Path) -> None:
    """After a number of increments the newest gets a whole state, and nothing that was written is lost."""
    kept, counts = Kept(tmp_path, CheckpointPolicy(whole_mb=1.0, max_increments=3)), Counts()
    for row in range(4):
        counts.add(row)
        kept.take(counts.live(), {})
        kept.poll(wait=True)
    assert wait_for_compaction(kept) == 0
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


def test_many_events_bring_a_checkpoint_early(kept: Kept) -> None:
    """Many events make a checkpoint due early, so that no stop is long; on a full disk it waits."""
    assert not kept.due(9_999)
    assert kept.due(10_000)
    kept.problem = "no room"
    assert not kept.due(10_000)
