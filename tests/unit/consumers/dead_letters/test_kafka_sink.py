"""Dead letters that the broker refuses, or that end a producer, are cut, left out or sent again.

The embedded broker refuses nothing, so a producer stands in here that answers as Apache Kafka does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from kafka.errors import (
    InvalidRecordError,
    KafkaError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    OutOfOrderSequenceNumberError,
    ProducerFencedError,
    TopicAuthorizationFailedError,
)

from consumers.config.schema import KafkaConfig
from consumers.dead_letters.kafka_sink import KafkaSink, Letters
from consumers.dead_letters.sink import DeadLetter, dead_letter
from consumers.events.record import Record
from serving.worker import ThreadFailed

Verdict = Callable[[DeadLetter, int], KafkaError | None]
"""The broker's answer to a letter, given the number of producers so far."""


class Answer:
    def __init__(self, error: KafkaError | None) -> None:
        self._error = error

    def get(self, timeout: float) -> None:
        if self._error is not None:
            raise self._error


class Answering:
    """A broker's answers. `taken`: what it acknowledged; `batch`: letters refused together, as one batch."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.taken: list[DeadLetter] = []
        self.producers = 0

    def __call__(self, _config: KafkaConfig) -> Answering:
        self.producers += 1
        return self

    def partitions_for(self, _topic: str) -> set[int]:
        return {0}

    def send(self, _topic: str, key: Any, value: Any, headers: Any) -> Answer:
        letter = DeadLetter(key, value, headers)
        error = self.verdict(letter, self.producers)
        if error is None:
            self.taken.append(letter)
        return Answer(error)

    def close(self, timeout: float) -> None: ...


def letter(n: int, value: bytes = b"v", key: bytes = b"k") -> DeadLetter:
    return dead_letter(
        Record("interactions.movies", 1, n, 1, key, value), "bad_id", "user_id: found 0 characters"
    )


def through(verdict: Verdict, *letters: DeadLetter) -> tuple[Answering, int]:
    """Return the broker after its answers to every letter, and the number of letters left out."""
    broker, refused = Answering(verdict), list[int]()
    sink = KafkaSink(KafkaConfig(), lambda: refused.append(1), connect=broker)
    for one in letters:
        sink.send(one)
    assert sink.wait(sink.sent, 60.0)
    assert sink.problem() is None
    sink.close()
    return broker, len(refused)


def over(limit: int) -> Verdict:
    """Refuse letters larger than this, like `max.message.bytes` of a topic."""
    return lambda one, _: MessageSizeTooLargeError() if len(one.value or b"") > limit else None


def test_too_large_a_letter_is_cut_until_it_fits() -> None:
    """A large letter is halved until it fits, and marked with its first length; its neighbours stay whole."""
    broker, refused = through(over(900), letter(1), letter(2, b"v" * 500_000), letter(3))
    assert refused == 0
    one, three, two = broker.taken
    assert (one, three) == (letter(1), letter(3))
    assert 450 < len(two.value or b"") <= 900
    assert two.headers == [*letter(2).headers, ("truncated", b"true"), ("length", b"500000")]


def test_a_letter_that_is_refused_even_when_cut_holds_up_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A letter that is refused even when cut is counted, and the log names its record."""
    broker, refused = through(over(-1), letter(17, b"v" * 2000))
    assert (broker.taken, refused) == ([], 1)
    said = capsys.readouterr()
    for part in ("interactions.movies", "17", "bad_id", "MessageSizeTooLargeError"):
        assert part in said.out + said.err


def test_a_letter_that_must_stay_whole_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """Half of a rerouted event is no event: it is left out, counted and named."""
    broker, refused = Answering(over(900)), list[int]()
    letters = Letters("rerouted events", whole=True)
    sink = KafkaSink(KafkaConfig(), lambda: refused.append(1), connect=broker, letters=letters)
    for one in (letter(1), letter(2, b"v" * 2000), letter(3)):
        sink.send(one)
    assert sink.wait(3, 60.0)
    sink.close()
    assert (broker.taken, len(refused)) == ([letter(1), letter(3)], 1)
    assert "refuses one of the rerouted events" in "".join(capsys.readouterr())


def test_what_the_broker_has_against_one_letter_is_not_held_against_another() -> None:
    """A batch fails as a whole: each of its letters is then sent by itself."""
    together = threading.Event()

    def verdict(one: DeadLetter, _: int) -> KafkaError | None:
        if dict(one.headers)["offset"] == b"2" or not together.is_set():
            together.set() if dict(one.headers)["offset"] == b"3" else None
            return InvalidRecordError()
        return None

    broker, refused = through(verdict, letter(1), letter(2), letter(3))
    assert [dict(x.headers)["offset"] for x in broker.taken] == [b"1", b"3"]
    assert refused == 1


@pytest.mark.parametrize(
    "error",
    [
        NotEnoughReplicasError,
        TopicAuthorizationFailedError,
        ProducerFencedError,
        OutOfOrderSequenceNumberError,
    ],
)
def test_anything_else_lasts_until_it_is_over(error: type[KafkaError]) -> None:
    """After too few replicas, a lost right or a dead producer, a new producer sends every letter uncut."""
    broker, refused = through(lambda _, producers: error() if producers < 3 else None, letter(1), letter(2))
    assert (broker.taken, refused) == ([letter(1), letter(2)], 0)


def test_what_ends_the_thread_ends_the_service() -> None:
    """An unexpected error is raised where the loop asks, and no thread waits for ever."""

    def verdict(_one: DeadLetter, _: int) -> KafkaError | None:
        raise RuntimeError("unforeseen")

    sink = KafkaSink(KafkaConfig(), connect=Answering(verdict))
    sink.send(letter(1))
    assert not sink.wait(1)
    with pytest.raises(ThreadFailed, match="RuntimeError"):
        sink.check()
