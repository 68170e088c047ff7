"""A thread's failure is raised in the loop, or the thread begins again."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from consumers.config.schema import KafkaConfig
from consumers.kafka_client.topics import Described
from consumers.report.writer import Writer
from consumers.service.canary import Canaries
from consumers.source.watch.topic_watch import TopicWatch
from serving.contract import Keys
from serving.store.key_scan import UserKeyScan
from serving.worker import ThreadFailed, Worker
from tests.support.service.running import wait_for

PATIENCE = 20.0


class Unforeseen(Exception):
    """An error that no code expects."""


def fail() -> None:
    raise Unforeseen


@pytest.mark.parametrize("error", [Unforeseen, SystemExit, KeyboardInterrupt])
def test_what_ends_a_thread_is_raised_where_the_loop_asks(error: type[BaseException]) -> None:
    """The loop gets the thread's error with its cause, each time, also for errors that Python's threads hide."""

    def work() -> None:
        raise error

    worker = Worker("publisher", work)
    worker.check()
    worker.start()
    worker.join(PATIENCE)
    for _ in range(2):
        with pytest.raises(ThreadFailed, match=f"the publisher thread failed: {error.__name__}") as caught:
            worker.check()
        assert isinstance(caught.value.__cause__, error)


def test_a_thread_that_ends_by_itself_is_no_failure() -> None:
    """A thread that ends after `close` is no failure."""
    worker = Worker("publisher", lambda: None)
    worker.start()
    worker.join(PATIENCE)
    worker.check()


def failing_once(calls: list[int], ended: threading.Event) -> None:
    calls.append(1)
    if len(calls) == 1:
        raise Unforeseen
    ended.set()


def test_what_events_can_do_without_begins_again() -> None:
    """A thread that events do not need begins again, and the log has the traceback."""
    calls: list[int] = []
    ended = threading.Event()
    worker = Worker("canaries", lambda: failing_once(calls, ended), again=0.01)
    with capture_logs() as logs:
        worker.start()
        assert ended.wait(PATIENCE)
        worker.join(PATIENCE)
    worker.check()
    (told,) = logs
    assert told["thread"] == "canaries"
    assert isinstance(told["exc_info"], Unforeseen)


# Threads that events do not need


def test_canaries_go_on() -> None:
    """Canaries go on after a failure, tested without a broker."""
    calls: list[int] = []
    asked_again = threading.Event()

    def may_send() -> bool:
        failing_once(calls, asked_again)
        return False

    nothing: Any = None
    canaries = Canaries(KafkaConfig(canary_seconds=0.01), "cc:canary", nothing, may_send)
    canaries.start()
    assert asked_again.wait(PATIENCE)
    canaries.close()


class Broken:
    """An admin client's description that a newer broker gives in another shape."""

    def __enter__(self) -> Broken:
        return self

    def __exit__(self, *_: object) -> None: ...

    def describe_topics(self, topics: list[str]) -> Any:
        raise Unforeseen


class Whole(Broken):
    def describe_topics(self, topics: list[str]) -> Any:
        partitions = [{"partition_index": 0}, {"partition_index": 1}]
        return [{"name": t, "error_code": 0, "topic_id": "id", "partitions": partitions} for t in topics]


def test_the_watch_for_partitions_goes_on() -> None:
    """After an unreadable answer the watch asks again, and sees added partitions."""

    class Watch(TopicWatch):
        admins = iter([Broken()])

        def _admin(self) -> Any:
            return next(self.admins, Whole())

    watch = Watch(KafkaConfig(), ["t"], 0.01)
    seen = wait_for(watch.latest, PATIENCE, "partitions seen")
    watch.close()
    assert seen == Described({("t", 0), ("t", 1)}, {"t": "id"}, set(), set())


class Store:
    """A store whose answer makes the client library fail."""

    def scan(self, pattern: str) -> Any:
        yield "cc:user:{ann}"
        raise Unforeseen


def test_half_a_search_does_not_count_as_one() -> None:
    """A failed search reports its failure and is repeated, because keys may be in the part that was not seen."""
    sweep = UserKeyScan(cast(Any, Store()), Keys("cc"), lambda user: user, frozenset({"ann", "bob"}))
    wait_for(sweep.done, PATIENCE, "the search has ended")
    assert sweep.failure == "Unforeseen"


class NoRecorder:
    """A recorder whose figures cannot be read or drawn."""

    samples: tuple[()] = ()

    def __init__(self) -> None:
        self.ticks: list[bool] = []

    def tick(self, now: bool = False) -> None:
        self.ticks.append(now)
        raise Unforeseen


def test_a_page_that_fails_does_not_end_the_service(tmp_path: Any) -> None:
    """A failing report page does not end the service, neither while it runs nor at its end."""
    recorder: Any = NoRecorder()

    class Page(Writer):
        def write(self) -> None: ...

    settings: Any = None
    with capture_logs() as logs, Page(tmp_path, "t", settings, recorder):
        wait_for(lambda: recorder.ticks, PATIENCE, "it has failed once")
    assert recorder.ticks[-1] is True
    assert all(isinstance(told["exc_info"], Unforeseen) for told in logs)
