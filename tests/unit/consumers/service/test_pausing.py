"""Reading pauses while memory would only grow, or while nothing can be saved."""

from __future__ import annotations

import errno
from pathlib import Path

from serving.contract import Write
from serving.store.publisher import Publisher
from serving.store.redis_store import open_store
from tests.support.doubles import ListSource
from tests.support.learners.checkpointers import Disk, always_due
from tests.support.log.one_log import LOG, SETTINGS, pipeline, run_out


def test_a_store_too_far_behind_pauses_reading() -> None:
    """At `publish.max_backlog` waiting keys reading pauses; below it reading goes on."""
    source = ListSource(LOG, poll_records=7)
    running = pipeline(source)
    publisher = Publisher(open_store("redis://127.0.0.1:1"), "cc:meta", 1)
    publisher.submit(Write(f"k{n}", "set", b"") for n in range(SETTINGS.publish.max_backlog))
    running.publisher = publisher
    running.step()
    assert len(running.batcher) == 0
    publisher.waiting.confirm(publisher.waiting.first(1))
    running.step()
    assert len(running.batcher) == 7


def test_no_room_for_a_checkpoint_pauses_reading(tmp_path: Path, disk: Disk) -> None:
    """Nothing is read while no checkpoint can be written; afterwards everything is learned once."""
    disk.errno = errno.ENOSPC
    source = ListSource(LOG, poll_records=7)
    checkpointer = always_due(tmp_path, policy=disk.policy)
    running = pipeline(source, checkpointer=checkpointer)
    running.step()
    checkpointer.poll(wait=True)
    assert checkpointer.problem
    before = running.totals.copy()
    running.step()
    assert running.totals == before
    disk.errno = 0
    running.step()
    checkpointer.poll(wait=True)
    assert checkpointer.problem is None
    run_out(running, source)
    whole = pipeline(ListSource(LOG, poll_records=7))
    run_out(whole, whole.source)  # type: ignore[arg-type]
    assert running.totals == whole.totals
    checkpointer.poll(wait=True)
    checkpointer.close()
