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
        self._topic = config.dead_letter_topic
        self._producer = KafkaProducer(
            **config.client(), linger_ms=5, delivery_timeout_ms=10_000, request_timeout_ms=5_000,
            max_block_ms=5_000,
        )  # fmt: skip
        self._waiting: list[tuple[DeadLetter, Any]] = []

    def send(self, letter: DeadLetter) -> None:
        self._waiting.append((letter, self._try(letter)))

    def _try(self, letter: DeadLetter) -> Any:
        try:
            return self._producer.send(
                self._topic, key=letter.key, value=letter.value, headers=letter.headers
            )
        except TOO_LARGE:
            return self._try(_cut(letter))
        except KafkaError:
            return None

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for place, (letter, future) in enumerate(waiting):
            sent = self._try(letter) if future is None else future
            try:
                if sent is None:
                    raise Unavailable("dead letters: the broker does not answer")
                sent.get(timeout=10)
            except TOO_LARGE:
                self._waiting.append((_cut(letter), None))
            except (KafkaError, Unavailable) as error:
                self._waiting += [(letter, None), *waiting[place + 1 :]]
                raise Unavailable(f"dead letters not acknowledged: {type(error).__name__}") from error
        if self._waiting:
            self.flush()

    def close(self) -> None:
        self._producer.close(timeout=2)


def _cut(letter: DeadLetter) -> DeadLetter:
    value = letter.value or b""
    headers = [*letter.headers, ("truncated", b"true"), ("length", str(len(value)).encode())]
    return DeadLetter(letter.key, value[:CUT_BYTES], headers)


class Limits:
    """Per partition: a share of the last `window` records, and a run of invalid ones. Past either, Stop (exit 3)."""

    def __init__(self, max_ratio: float, max_consecutive: int, window: int = 1000) -> None:
        self._max_ratio = max_ratio
        self._max_consecutive = max_consecutive
        self._window = window
        self._last: dict[Place, deque[bool]] = {}
        self._run: dict[Place, int] = {}

    def count(self, record: Record, invalid: bool) -> None:
        """Raises Stop when this record takes its partition over a limit."""
        place = (record.topic, record.partition)
        last = self._last.setdefault(place, deque(maxlen=self._window))
        last.append(invalid)
        self._run[place] = run = self._run.get(place, 0) + 1 if invalid else 0
        if not invalid:
            return
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
