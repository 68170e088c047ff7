"""Stand in for the ends of a pipeline, in memory: a log and dead letters in lists, texts encoded at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from consumers.dead_letters.sink import DeadLetter
from consumers.events.record import Offsets, Record, TopicPartition
from consumers.service.offline import NoLetters
from consumers.service.text_encoding import Key, Vectors, encode
from consumers.source.protocol import NEVER, Times
from models.text.encoder import TextEncoder


class Abort(Exception):
    """A crash at one place of a list of records: `[record, record, Abort(), record]`."""


class ListSource:
    """A log in a list. Offsets count per partition. An `Abort()` in the list is raised when its turn comes.

    `begins`: the oldest offset of partitions that do not begin at 0. They need not have a record.
    """

    def __init__(
        self, records: Sequence[Record | Abort], poll_records: int = 500, begins: Offsets | None = None
    ) -> None:
        self.records = records
        self.poll_records = poll_records
        self.begins = begins or {}
        self.committed: Offsets = {}
        self._position = 0
        self._aborted: set[int] = set()
        self._offsets: Offsets = {}

    def start(
        self, offsets: Offsets, identity: Mapping[str, str], complete: bool = True, at_end: Times = NEVER
    ) -> Offsets:
        del identity, complete, at_end
        self._position = 0
        self._offsets = dict.fromkeys(self._ends(), 0) | self.begins | offsets
        return dict(self._offsets)

    def items_read(self) -> bool:
        return True

    def poll(self, timeout: float) -> list[Record]:
        del timeout
        out: list[Record] = []
        while self._position < len(self.records) and len(out) < self.poll_records:
            record = self.records[self._position]
            if isinstance(record, Abort):
                if self._position in self._aborted:  # it crashes only once
                    self._position += 1
                    continue
                if out:
                    break
                self._aborted.add(self._position)
                raise record
            self._position += 1
            if record.offset >= self._offsets.get((record.topic, record.partition), 0):
                out.append(record)
        return out

    @property
    def exhausted(self) -> bool:
        return self._position >= len(self.records)

    def commit(self, offsets: Offsets) -> None:
        self.committed = dict(offsets)

    def identity(self) -> dict[str, str]:
        return {}

    def _ends(self) -> Offsets:
        ends: Offsets = {}
        for record in self.records:
            if isinstance(record, Record):
                ends[record.topic, record.partition] = record.offset + 1
        return ends

    def next_offsets(self, offsets: Offsets) -> Offsets:
        return self._offsets | offsets

    def problem(self) -> str | None:
        return None

    def silent_seconds(self) -> float:
        return 0.0

    def behind(self) -> bool:
        return not self.exhausted

    def waiting(self) -> list[Record]:
        first: dict[TopicPartition, Record] = {}
        for record in self.records[self._position :]:
            if isinstance(record, Record):
                place = (record.topic, record.partition)
                if record.offset >= self._offsets.get(place, 0):
                    first.setdefault(place, record)
        return list(first.values())

    def learned(self, offsets: Offsets) -> None: ...

    def anew(self) -> Set[str]:
        return frozenset()

    def at_end(self) -> Times:
        return NEVER

    def lag(self, offsets: Offsets) -> dict[TopicPartition, int]:
        return {place: max(0, end - offsets.get(place, 0)) for place, end in self._ends().items()}

    def reached_start_end(self, offsets: Offsets) -> bool:
        return not any(self.lag(offsets).values())

    def lost(self) -> int:
        return 0

    def close(self) -> None:
        self._position = len(self.records)


class ListSink(NoLetters):
    """Dead letters in a list."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []

    def send(self, letter: DeadLetter) -> None:
        self.letters.append(letter)
        self.sent += 1


class SyncEncoding:
    """Encodes when it is drained, so that the result does not depend on a thread."""

    beside = False

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self.waiting: dict[Key, str] = {}

    def submit(self, key: Key, text: str) -> None:
        if self.waiting.get(key) == text:
            return
        self.waiting.pop(key, None)
        if text:
            self.waiting[key] = text

    def drain(self) -> tuple[Vectors, bool]:
        pending, self.waiting = self.waiting, {}
        return encode(self._encoder, pending), True

    def pending(self) -> dict[Key, str]:
        return dict(self.waiting)

    def expect(self, width: int) -> None: ...

    def check(self) -> None: ...

    def close(self) -> None: ...
