"""Records that teach nothing: raw bytes and provenance go to one topic; too many of them stop the service."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple, Protocol

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from consumers.config import Kafka
from consumers.decode import Reason
from consumers.errors import DEAD_LETTER_LIMIT, Stop
from consumers.source import Place, Record, Unavailable

TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
CUT_BYTES = 65_536
"""How much is kept of a value that the broker refuses as too large."""


class DeadLetter(NamedTuple):
    """What is written: `headers` are the provenance, UTF-8, numbers in decimal."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def dead_letter(record: Record, reason: Reason) -> DeadLetter:
    """The letter for one record. Kafka has no record without key and value: its value is then empty."""
    headers = {
        "reason": reason,
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "timestamp": str(record.timestamp),
    }
    value = record.value
    if record.key is None and value is None:
        value, headers["null_record"] = b"", "true"
    return DeadLetter(record.key, value, [(k, v.encode()) for k, v in headers.items()])


class Sink(Protocol):
    """Where dead letters go."""

    def send(self, letter: DeadLetter) -> None:
        """Hands a letter over; it is safe only after `flush`."""

    def flush(self) -> None:
        """Returns once every letter is acknowledged. Raises Unavailable; the letters stay for a later flush."""

    def close(self) -> None: ...


class ListSink:
    """Dead letters in a list."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []

    def send(self, letter: DeadLetter) -> None:
        self.letters.append(letter)

    def flush(self) -> None: ...

    def close(self) -> None: ...


class KafkaSink:
    """Dead letters on a topic. Unacknowledged ones are kept and sent again, so none is lost."""

    def __init__(self, config: Kafka) -> None:
        self._config = config
        self._topic = config.dead_letter_topic
        self._producer: Any = None
        self._waiting: list[tuple[DeadLetter, Any]] = []
        try:
            self._connect().partitions_for(self._topic)
        except KafkaError as error:
            self.close()
            raise Stop(
                f"missing topics: {self._topic} ({type(error).__name__}). Create it, for example: crosscurrent "
                "check --create-topics"
            ) from error

    def _connect(self) -> Any:
        """A new producer: after some errors an idempotent one never sends again."""
        self.close()
        self._producer = KafkaProducer(
            **self._config.client(), linger_ms=5, delivery_timeout_ms=10_000, request_timeout_ms=5_000,
            max_block_ms=5_000,
        )  # fmt: skip
        return self._producer

    def send(self, letter: DeadLetter) -> None:
        self._waiting.append(self._try(letter))

    def _try(self, letter: DeadLetter) -> tuple[DeadLetter, Any]:
        """The letter as it was sent, and the broker's answer to come; None if it could not even be sent."""
        while self._producer is not None:
            try:
                return letter, self._producer.send(
                    self._topic, key=letter.key, value=letter.value, headers=letter.headers
                )
            except TOO_LARGE:
                letter = _cut(letter)
            except KafkaError:
                break
        return letter, None

    def flush(self) -> None:
        while self._waiting:
            self._send_failed_again()
            waiting, self._waiting = self._waiting, []
            problem: Exception | None = None
            for letter, future in waiting:
                try:
                    if future is None:
                        raise Unavailable("the broker does not answer")
                    future.get(timeout=0 if problem else 10)
                except (KafkaError, Unavailable) as error:
                    self._waiting.append((letter, future))
                    problem = problem or (None if isinstance(error, TOO_LARGE) else error)
            if problem:
                raise Unavailable(f"dead letters not acknowledged: {type(problem).__name__}") from problem

    def _send_failed_again(self) -> None:
        failed = [future.exception for _, future in self._waiting if future is not None and future.failed()]
        if self._producer is None or any(not isinstance(error, TOO_LARGE) for error in failed):
            try:
                self._connect()
            except KafkaError as error:
                raise Unavailable(f"dead letters not acknowledged: {type(error).__name__}") from error
        reachable = True
        for place, (letter, future) in enumerate(self._waiting):
            cut = future is not None and future.failed() and isinstance(future.exception, TOO_LARGE)
            again = _cut(letter) if cut else letter
            if cut:
                self._waiting[place] = (again, None)
            if reachable and (future is None or future.failed()):
                self._waiting[place] = self._try(again)
                reachable = self._waiting[place][1] is not None  # else each one would wait in vain

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=2)


def _cut(letter: DeadLetter) -> DeadLetter:
    """The letter with less of its value (of its key, if that is longer); headers keep the value's first length."""
    key, value = letter.key, letter.value
    if len(value or b"") >= len(key or b""):
        value = value and _shorter(value)
    else:
        key = key and _shorter(key)
    headers = letter.headers
    if ("truncated", b"true") not in headers:
        headers = [*headers, ("truncated", b"true"), ("length", str(len(letter.value or b"")).encode())]
    return DeadLetter(key, value, headers)


def _shorter(data: bytes) -> bytes:
    return data[: min(CUT_BYTES, len(data) // 2)]


class Limits:
    """Per partition: a share of the last `window` records, and a run of invalid ones. Past either, Stop (exit 3)."""

    def __init__(self, max_ratio: float, max_consecutive: int, window: int = 1000) -> None:
        self._max_ratio = max_ratio
        self._max_consecutive = max_consecutive
        self._window = window
        self._last: dict[Place, deque[bool]] = {}
        self._run: dict[Place, int] = {}

    def add(self, record: Record, invalid: bool) -> None:
        """One more record, without a judgement."""
        place = (record.topic, record.partition)
        self._last.setdefault(place, deque(maxlen=self._window)).append(invalid)
        self._run[place] = self._run.get(place, 0) + 1 if invalid else 0

    def count(self, record: Record, invalid: bool) -> None:
        """Raises Stop when this record takes its partition over a limit."""
        self.add(record, invalid)
        if not invalid:
            return
        place = (record.topic, record.partition)
        last, run = self._last[place], self._run[place]
        bad = sum(last)
        if run > self._max_consecutive or (
            len(last) == self._window and bad > self._max_ratio * self._window
        ):
            raise Stop(
                f"{record.topic} partition {record.partition}: {bad} of the last {len(last)} records are invalid "
                f"({run} in a row, up to offset {record.offset}). A producer sends what the contract does not "
                "allow; see the dead letters. Raise intake.max_invalid_ratio or "
                "intake.max_consecutive_invalid to go on.",
                DEAD_LETTER_LIMIT,
            )

    def state(self) -> list[Any]:
        return [[*place, self._run[place], bytes(last)] for place, last in sorted(self._last.items())]

    def load(self, state: list[Any]) -> None:
        self._run = {(topic, partition): run for topic, partition, run, _ in state}
        self._last = {
            (topic, partition): deque(map(bool, last), self._window) for topic, partition, _, last in state
        }
