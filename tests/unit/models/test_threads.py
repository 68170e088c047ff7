"""Independent tasks run at the same time, each once, and a failure waits for the others."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from models.threads import Workers


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_task_runs_once_on_at_most_so_many_threads(threads: int) -> None:
    workers, done, used = Workers(threads), [], set()

    def task(n: int) -> int:
        used.add(threading.get_ident())
        done.append(n)
        return n * n

    for _ in range(20):
        done.clear()
        assert workers.run([partial(task, n) for n in range(7)]) == [n * n for n in range(7)]
        assert sorted(done) == list(range(7))
    assert len(used) <= threads


def test_two_tasks_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=20)
    Workers(2).run([meeting.wait, meeting.wait])
    with pytest.raises(threading.BrokenBarrierError):
        Workers(1).run([partial(threading.Barrier(2).wait, 0.1)])


def test_a_task_may_run_tasks_itself() -> None:
    """A waiting task does not block the tasks it waits for, although every thread is taken."""
    workers, done = Workers(2), []

    def outer(n: int) -> None:
        workers.run([partial(done.append, (n, m)) for m in range(3)])

    workers.run([partial(outer, n) for n in range(4)])
    assert sorted(done) == [(n, m) for n in range(4) for m in range(3)]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_task_that_was_started_has_one_result(threads: int) -> None:
    workers, done = Workers(threads), list[int]()
    first, second = (workers.start(partial(done.append, n)) for n in range(2))
    assert (second(), first()) == (None, None)
    assert sorted(done) == [0, 1]


def test_what_no_thread_has_begun_is_run_by_the_caller() -> None:
    workers, gate = Workers(2), threading.Event()
    slow, quick = workers.start(partial(gate.wait, 20)), workers.start(threading.get_ident)
    assert quick() == threading.get_ident()
    gate.set()
    assert slow()


@pytest.mark.parametrize("place", [0, 1])
def test_a_failure_is_raised_after_the_other_tasks_that_began(place: int) -> None:
    ended, begun = [], threading.Event()

    def slow() -> None:
        begun.set()
        time.sleep(0.05)
        ended.append(1)

    def failing() -> None:
        assert begun.wait(20)
        raise RuntimeError("no room")

    tasks = [slow, failing] if place else [failing, slow]
    with pytest.raises(RuntimeError, match="no room"):
        Workers(2).run(tasks)
    assert ended == [1]


def test_slices_cover_all_rows_and_none_is_small() -> None:
    assert Workers(3).slices(0, 4) == [slice(0, 0)]
    for count in range(1, 40):
        slices = Workers(3).slices(count, 4)
        assert [n for some in slices for n in range(count)[some]] == list(range(count))
        assert len(slices) == 1 or min(some.stop - some.start for some in slices) >= 4
