"""Checkpoints with a forgotten user are deleted, and a large state is not copied whole for that."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.state import checkpoint
from tests.support.learners.checkpointers import Disk, Kept, Large


def test_alone_after_what_is_to_be_forgotten(tmp_path: Path, disk: Disk) -> None:
    """A small state is written whole and is then the only one. Without room, the next one is."""
    kept = Kept(tmp_path, disk.policy)
    for n in range(3):
        kept.take({"n": n}, {("t", 0): n})
        kept.poll(wait=True)
        assert kept.erased == {("t", 0): n}
    disk.errno = errno.ENOSPC
    kept.purge_older()
    kept.take({"n": 3}, {("t", 0): 3})
    kept.poll(wait=True)
    assert kept.problem is not None
    assert names(tmp_path) == ["1", "2", "3"]
    disk.errno = 0
    kept.take({"n": 4}, {("t", 0): 4})
    kept.poll(wait=True)
    assert names(tmp_path) == ["4"]
    assert kept.erased == {("t", 0): 4}
    kept.close()


def names(path: Path) -> list[str]:
    return [p.name[-1] for p in sorted(path.glob("0*"))]


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Large]:
    made = Large(tmp_path)
    for row in range(3):
        made.save(row)
    yield made
    made.kept.close()


def test_a_large_state_is_not_copied_whole_to_forget(large: Large) -> None:
    """The next checkpoint is an increment. Once another process has made it whole, older ones go, and the increment
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
    assert large.kept.compaction is None


def test_requests_that_keep_coming_do_not_put_each_other_off(large: Large) -> None:
    """More requests come while one is carried out. The first is done with its process, then one process serves the
    others."""
    large.forget(0)
    large.save(10)
    first = large.kept.compaction
    for row in (1, 2):
        large.forget(row)
        large.save(10 + row)
        assert large.kept.compaction is first
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
    """The service stops twice between the checkpoint without the user and the deletion of older ones. Each checkpoint
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
    assert large.kept.compaction is None
    assert large.wholes == 1
    assert large.rows() == [0, 2, 10, 11, 12, 13, 14, 15]


def test_at_the_end_of_the_stream_older_ones_go_at_once(large: Large) -> None:
    """At the end a whole copy delays nothing, so older checkpoints go at once; a running compaction is ended."""
    large.forget(1)
    large.save(10)
    running = large.kept.compaction
    assert running is not None
    large.save(11, last=True)
    assert running.process.poll() is not None
    assert names(large.path) == ["5"]
    assert large.wholes == 2
    assert large.rows() == [0, 2, 10, 11]


def test_what_cannot_be_compacted_is_written_whole(large: Large) -> None:
    """With a damaged increment the other process fails three times; then the stream waits for one whole copy."""
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
