"""Send dead letters to a topic from another thread: a missing broker stops neither reading nor learning."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from consumers.config.schema import KafkaConfig
from consumers.dead_letters.sink import DeadLetter, cut
from consumers.errors import Stop
from consumers.kafka_client.client import client_options
from consumers.kafka_client.errors import OF_THE_RECORD, on_letter
from consumers.kafka_client.problems import acls
from consumers.kafka_client.producer import MAX_REQUEST_BYTES
from serving.worker import Worker

CHUNK_LETTERS = 500
"""Letters that are sent together. They are acknowledged before the next ones are sent."""
MAX_LETTERS, MAX_BYTES = 10_000, 64 * 1024 * 1024
"""When this many letters or bytes wait for the broker, reading should pause."""
SILENT_SECONDS = 5.0
"""Seconds without an acknowledgement after which there is a problem."""
PATIENCE_SECONDS = 12.0
"""Seconds to wait for a letter. The client gives it up sooner."""
RETRY_SECONDS = 0.5

log = structlog.get_logger()


def make_producer(config: KafkaConfig) -> Any:
    """Make a producer. Raises KafkaError, OSError or ValueError.

    It is not idempotent: an idempotent producer cannot go on after a refused letter.
    """
    return KafkaProducer(
        **client_options(config),
        acks="all",
        enable_idempotence=False,
        linger_ms=5,
        max_request_size=MAX_REQUEST_BYTES,
        delivery_timeout_ms=10_000,
        request_timeout_ms=5_000,
        max_block_ms=5_000,
    )


class Letters(NamedTuple):
    """What a sink sends. what: its name in messages. whole: whether a part is worth nothing, so that none is cut."""

    what: str = "dead letters"
    whole: bool = False


class KafkaSink:
    """A `Sink` that keeps letters until they are acknowledged: none is lost, and after a crash one may come twice.

    A letter that is too large is cut in half until it fits. If the broker refuses it even then, sent by itself, it is
    given up: `refused` counts it, and the log names its record. After any other failure the sink tries again until it
    works: the broker may be away, the topic deleted, or a right withdrawn.
    """

    def __init__(
        self,
        config: KafkaConfig,
        refused: Callable[[], object] = lambda: None,
        most_letters: int = MAX_LETTERS,
        most_bytes: int = MAX_BYTES,
        connect: Callable[[KafkaConfig], Any] = make_producer,
        letters: Letters = Letters(),  # noqa: B008  it never changes
    ) -> None:
        """Start the thread. Raises Stop (exit 2) if the topic is missing."""
        self._config, self._refused, self._connect = config, refused, connect
        self._what, self._whole = letters
        self._topic = config.dead_letter_topic
        self._most_letters, self._most_bytes = most_letters, most_bytes
        self._producer: Any = None
        self._changed = threading.Condition()
        self._waiting: dict[int, DeadLetter] = {}
        """Letters by number, counted from 1, oldest first."""
        self._bytes = self._sent = 0
        self._heard = time.monotonic()
        """When the last letter was acknowledged, or the first one began to wait."""
        self._why = "no answer"
        self._closing = False
        try:
            self._new_producer().partitions_for(self._topic)
        except TopicAuthorizationFailedError as error:
            self._end_producer()
            raise Stop(self._words(error)) from error
        except KafkaError as error:
            self._end_producer()
            raise Stop(
                f"missing topics: {self._topic} ({type(error).__name__}). Create it, for example: crosscurrent "
                "check --create-topics"
            ) from error
        self._thread = Worker(self._what.replace(" ", "-"), self._run)
        self._thread.start()

    # The loop's thread

    def send(self, letter: DeadLetter) -> None:
        with self._changed:
            if not self._waiting:
                self._heard = time.monotonic()
            self._sent += 1
            self._waiting[self._sent] = letter
            self._bytes += _size(letter)
            self._changed.notify_all()

    @property
    def sent(self) -> int:
        return self._sent

    def check(self) -> None:
        """Raise ThreadFailed if an unexpected exception has ended the thread."""
        self._thread.check()

    def full(self) -> bool:
        return len(self._waiting) >= self._most_letters or self._bytes >= self._most_bytes

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(3.0)

    # Any thread

    def wait(self, count: int, timeout: float | None = None) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._settled(count), timeout)
            return self._settled(count)

    def _settled(self, count: int) -> bool:
        return next(iter(self._waiting), count + 1) > count

    def problem(self) -> str | None:
        with self._changed:
            silent = time.monotonic() - self._heard
            if not self._waiting or silent < SILENT_SECONDS:
                return None
            full = "; reading pauses" if self.full() else ""
            return f"{len(self._waiting)} {self._what} are not acknowledged for {silent:.0f} s: {self._why}{full}"

    # Its own thread

    def _run(self) -> None:
        try:
            while chunk := self._next_chunk():
                self._deliver(chunk)
        finally:
            with self._changed:
                self._closing = True  # letters will no longer be acknowledged: wake all waiting threads
                self._changed.notify_all()
            self._end_producer()

    def _next_chunk(self) -> dict[int, DeadLetter]:
        """Return the oldest waiting letters as soon as there are any; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._waiting)
            return {} if self._closing else dict(islice(self._waiting.items(), CHUNK_LETTERS))

    def _deliver(self, chunk: dict[int, DeadLetter]) -> None:
        """Send the letters and wait for the answers.

        Letters that the broker blames are sent again separately, because another letter may be the cause. Other letters
        that fail keep their place.
        """
        separate: dict[int, DeadLetter] = {}
        problem: Exception | None = None
        futures: list[tuple[int, DeadLetter, Any]] = []
        for number, letter in chunk.items():
            try:
                futures.append((number, letter, self._send(letter)))
            except OF_THE_RECORD:
                separate[number] = letter
            except (KafkaError, OSError, ValueError) as error:
                problem = error
                break  # the remaining letters would fail too
        for number, letter, future in futures:
            try:
                future.get(timeout=0 if problem else PATIENCE_SECONDS)
                self._settle(number)
            except OF_THE_RECORD:
                separate[number] = letter
            except KafkaError as error:
                problem = problem or error
        for number, letter in sorted(separate.items()):
            if (another := self._deliver_separately(number, letter)) is not None:
                problem = another
                break
        if problem is not None:
            self._pause(problem)

    def _deliver_separately(self, number: int, letter: DeadLetter) -> Exception | None:
        """Send one letter, and cut it until it fits. Return the error that is not the letter's own fault, or None."""
        while True:
            try:
                self._send(letter).get(timeout=PATIENCE_SECONDS)
            except OF_THE_RECORD as error:
                may_cut = not self._whole and on_letter(error) == "cut"
                shorter = cut(letter) if may_cut else letter
                if _size(shorter) < _size(letter):
                    letter = shorter
                    continue
                self._give_up(letter, error)
            except (KafkaError, OSError, ValueError) as error:
                return error
            self._settle(number)
            return None

    def _send(self, letter: DeadLetter) -> Any:
        producer = self._producer or self._new_producer()
        return producer.send(self._topic, key=letter.key, value=letter.value, headers=letter.headers)

    def _settle(self, number: int) -> None:
        with self._changed:
            self._bytes -= _size(self._waiting.pop(number))
            self._heard, self._why = time.monotonic(), "no answer"
            self._changed.notify_all()

    def _give_up(self, letter: DeadLetter, error: Exception) -> None:
        headers = {name: value.decode() for name, value in letter.headers}
        where = {name: headers[name] for name in ("topic", "partition", "offset", "reason")}
        log.error(
            f"the broker refuses one of the {self._what}; it is left out", error=type(error).__name__, **where
        )
        self._refused()

    def _pause(self, problem: Exception) -> None:
        """Wait, then use a new producer: the old one may never find the broker again."""
        self._why = self._words(problem)
        log.warning(f"{self._what} not acknowledged, will send them again", error=self._why)
        self._end_producer()
        with self._changed:
            self._changed.wait_for(lambda: self._closing, RETRY_SECONDS)

    def _words(self, error: Exception) -> str:
        if isinstance(error, TopicAuthorizationFailedError):
            give = acls.give(self._config, acls.topics("Write", [self._topic]))
            return f"no right to write to {self._topic}. {give}"
        return type(error).__name__

    def _new_producer(self) -> Any:
        self._producer = self._connect(self._config)
        return self._producer

    def _end_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=2)


def _size(letter: DeadLetter) -> int:
    """Return the bytes of key and value."""
    return len(letter.key or b"") + len(letter.value or b"")
