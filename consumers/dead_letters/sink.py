"""Keep records that cannot be used: raw bytes and origin go to one topic. Stop the service if there are too many."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple, Protocol

from consumers.errors import DEAD_LETTER_LIMIT, Stop
from consumers.events.record import Record, TopicPartition
from consumers.events.rejection import Reason

CUT_BYTES = 65_536
"""Most bytes that are kept of a value that the broker refuses as too large."""


HEADERS = {
    "reason": "one of the closed list below",
    "detail": "the field, what was found there and what is allowed; never an id, never a secret",
    "topic": "where the record came from",
    "partition": "where the record came from, in decimal",
    "offset": "where the record came from, in decimal",
    "timestamp": "the record's own time in ms, in decimal; -1 if it has none",
    "null_record": "`true` if the record had neither key nor value; the letter's value is then empty",
    "truncated": "`true` if the value was cut, because the broker refused it as too large",
    "length": "bytes of the value before it was cut, in decimal; only with `truncated`",
}
"""What each header of a dead letter says."""


class DeadLetter(NamedTuple):
    """What is written. `headers` tell the origin, in UTF-8, numbers in decimal."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def dead_letter(record: Record, reason: Reason, detail: str = "") -> DeadLetter:
    """Make the letter for one record. Kafka has no record without key and value, so then the value is empty."""
    headers = {
        "reason": reason,
        "detail": detail,
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
    """Where dead letters go. One thread calls `send`, `full` and `close`; any thread may call the others.

    Only `wait` blocks.
    """

    def send(self, letter: DeadLetter) -> None:
        """Hand a letter over. It is safe once `wait` says so."""

    @property
    def sent(self) -> int:
        """Return the number of letters handed over so far."""

    def wait(self, count: int, timeout: float | None = None) -> bool:
        """Wait until the first `count` letters are safe, at most `timeout` seconds or until `close`.

        Return whether they are.
        """

    def full(self) -> bool:
        """Return whether too many letters wait, so that reading should pause."""

    def problem(self) -> str | None:
        """Return why letters are not acknowledged; None while they are."""

    def check(self) -> None:
        """Raise ThreadFailed if no letter will be sent any more."""

    def close(self) -> None:
        """Stop sending. Letters that are not safe by now are lost."""


def cut(letter: DeadLetter) -> DeadLetter:
    """Return the letter with a shorter value (or key, if that is longer). Headers keep the value's first length."""
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
    """Limits per partition: the share of invalid records among the last `window`, and the invalid ones in a row."""

    def __init__(self, max_ratio: float, max_consecutive: int, window: int = 1000) -> None:
        self._max_ratio = max_ratio
        self._max_consecutive = max_consecutive
        self._window = window
        self._last: dict[TopicPartition, deque[bool]] = {}
        self._run: dict[TopicPartition, int] = {}

    def add(self, record: Record, invalid: bool) -> None:
        """Count one more record, without a check."""
        place = (record.topic, record.partition)
        self._last.setdefault(place, deque(maxlen=self._window)).append(invalid)
        self._run[place] = self._run.get(place, 0) + 1 if invalid else 0

    def count(self, record: Record, invalid: bool) -> None:
        """Count one more record. Raises Stop (exit 3) if it takes its partition over a limit."""
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
