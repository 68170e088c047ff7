"""Make a pipeline without log, dead letters and store. Its state is one that `run` can load."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

import msgspec

from consumers.config.schema import Settings
from consumers.config.shards import ShardsConfig
from consumers.dead_letters.sink import DeadLetter
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.record import Offsets, Record, TopicPartition
from consumers.service.pipeline import Pipeline
from consumers.service.text_encoding import Key, Vectors
from consumers.service.wiring import Ends, wired
from consumers.source.protocol import NEVER, Times
from serving.metrics import Metrics


def offline_pipeline(settings: Settings) -> Pipeline:
    """Return a pipeline like that of `run` at its start, of a process that has everything. The caller feeds it."""
    alone = msgspec.structs.replace(settings, shards=ShardsConfig())
    return wired(alone, Ends(EmptyLog(), NoLetters(), NoTexts()), Metrics())


def loaded_pipeline(
    state: dict[str, Any], settings: Settings, path: Path, say: Callable[[str], None]
) -> Pipeline:
    """Return an offline pipeline with the state of a folder. Raises Stop (exit 4).

    say: is told what this config changes in the state.
    """
    pipeline = offline_pipeline(settings)
    try:
        notes = pipeline.load(state)
    except (KeyError, ValueError, TypeError) as error:
        raise Stop(f"{path} does not fit this config: {error}", STATE_UNUSABLE) from error
    for note in notes:
        say(note)
    return pipeline


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

    def check(self) -> None: ...

    def close(self) -> None: ...


class NoTexts:
    """An `Encoding` without texts: vectors are put into the learners at once."""

    beside = False

    def submit(self, key: Key, text: str) -> None: ...

    def drain(self) -> tuple[Vectors, bool]:
        return {}, True

    def pending(self) -> dict[Key, str]:
        return {}

    def expect(self, width: int) -> None: ...

    def check(self) -> None: ...

    def close(self) -> None: ...
