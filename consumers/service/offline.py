"""Make a pipeline without log, dead letters and store. Its state is one that `run` can load."""

from __future__ import annotations

from collections.abc import Mapping, Set

from consumers.config.schema import Settings
from consumers.dead_letters.sink import DeadLetter
from consumers.events.record import Offsets, Record, TopicPartition
from consumers.service.pipeline import Pipeline
from consumers.service.text_encoding import Key, Vectors
from consumers.service.wiring import Ends, wired
from consumers.source.protocol import NEVER, Times
from serving.metrics import Metrics


def offline_pipeline(settings: Settings) -> Pipeline:
    """Return a pipeline like that of `run` at its start. The caller feeds it."""
    return wired(settings, Ends(EmptyLog(), NoLetters(), NoTexts()), Metrics())


class EmptyLog:
    """A `Source` without partitions."""

    def start(
        self, offsets: Offsets, identity: Mapping[str, str], complete: bool = True, at_end: Times = NEVER
    ) -> Offsets:
        return {}

    def poll(self, timeout: float) -> list[Record]:
        return []

    def commit(self, offsets: Offsets) -> None: ...

    def identity(self) -> dict[str, str]:
        return {}

    def next_offsets(self, offsets: Offsets) -> Offsets:
        return dict(offsets)

    def lag(self, offsets: Offsets) -> dict[TopicPartition, int]:
        return {}

    def problem(self) -> str | None:
        return None

    def silent_seconds(self) -> float:
        return 0.0

    def behind(self) -> bool:
        return False

    def waiting(self) -> list[Record]:
        return []

    def items_read(self) -> bool:
        return True

    def learned(self, offsets: Offsets) -> None: ...

    def anew(self) -> Set[str]:
        return frozenset()

    def at_end(self) -> Times:
        return NEVER

    def reached_start_end(self, offsets: Offsets) -> bool:
        return True

    def lost(self) -> int:
        return 0

    def close(self) -> None: ...


class NoLetters:
    """A `Sink` for records that were checked before, so none is a dead letter."""

    sent = 0

    def send(self, letter: DeadLetter) -> None: ...

    def wait(self, count: int, timeout: float | None = None) -> bool:
        return True

    def full(self) -> bool:
        return False

    def problem(self) -> str | None:
        return None

    def close(self) -> None: ...


class NoTexts:
    """An `Encoding` without texts: vectors are put into the learners at once."""

    def submit(self, key: Key, text: str) -> None: ...

    def drain(self) -> tuple[Vectors, bool]:
        return {}, True

    def pending(self) -> dict[Key, str]:
        return {}

    def expect(self, width: int) -> None: ...

    def check(self) -> None: ...

    def close(self) -> None: ...
