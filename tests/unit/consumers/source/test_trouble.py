"""Trouble with reading is named, causes before effects, once it lasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from consumers.config.schema import KafkaConfig
from consumers.events.record import TopicPartition
from consumers.source.trouble import RETRY_SECONDS, SILENT_SECONDS, Trouble
from tests.support.clock import Clock

A, B = ("events", 0), ("events", 1)


def unanswered(*places: TopicPartition) -> Callable[[float], Mapping[TopicPartition, str]]:
    return lambda _since: {place: f"broker {place[1]}" for place in places}


def made() -> tuple[Trouble, Clock]:
    clock = Clock(1000.0)
    return Trouble(KafkaConfig(), clock), clock


def look(trouble: Trouble, clock: Clock, times: int, *places: TopicPartition) -> None:
    for _ in range(times):
        clock.now += 1.0
        assert trouble.look_due()
        trouble.look(unanswered(*places))


def test_silence_is_told_once_it_lasts() -> None:
    """Lasting silence is reported with partitions, seconds and brokers, until an answer comes."""
    trouble, clock = made()
    look(trouble, clock, int(SILENT_SECONDS) - 1, A, B)
    assert trouble.problem() is None
    look(trouble, clock, 2, B)
    assert trouble.problem() == "Kafka has not answered for 5 s for events:1 (broker 1)"
    look(trouble, clock, 1)
    assert trouble.problem() is None


def test_time_in_which_nobody_polled_is_no_silence() -> None:
    """While reading is paused no broker is asked, so none is called silent."""
    trouble, clock = made()
    clock.now += 60.0
    trouble.look(unanswered(A))
    assert trouble.problem() is None


def test_a_topic_that_is_refused_is_asked_for_again() -> None:
    """A refused topic is asked for again after a pause, and counts as refused until an answer comes."""
    trouble, clock = made()
    trouble.deny({"items"})
    assert trouble.wait() == {"items"}
    clock.now += RETRY_SECONDS
    assert trouble.wait() == frozenset()
    assert "Read on Topic:items" in str(trouble.problem())
    trouble.answered({"items"})
    assert trouble.problem() is None


def test_topics_without_a_right_or_gone_are_not_called_silent() -> None:
    """Topics without a right, or gone, are reported with their own reason, not as silent."""
    trouble, clock = made()
    trouble.miss({"events"})
    look(trouble, clock, 9, A, B)
    assert str(trouble.problem()).startswith("missing topics: events.")
    trouble.miss(set())
    assert trouble.problem() is None
