"""What a process shares with others of its service, as the pipeline sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from consumers.events.record import Record
from consumers.sharing.reroute import Reroute
from models.adaptation.adaptation_loop import Notice
from models.schema import Interaction
from models.sharing.shared_facts import Place

SILENT_SECONDS = 5.0
"""Seconds without an acknowledgement, or without a turn of the loop, after which nothing is written to the store."""

Waiting = Sequence[tuple[Record, Interaction]]


def place_of(record: Record) -> Place:
    """Return where a record was read."""
    return Place(record.topic, record.partition, record.offset)


class Exchange(Protocol):
    """The sharing side of a shard, or of the process that trains the network. The loop's thread calls all but
    `problem`.
    """

    fenced: bool
    """Whether a later process has taken this one's place, so that it must save and publish nothing."""

    @property
    def reroute(self) -> Reroute | None:
        """Looks at the partitions of events; None if none is read."""

    def start(self) -> None:
        """Begin, once the state is loaded. Raises Stop."""

    def learn(self, waiting: Waiting) -> list[Notice]:
        """Learn own events."""

    def step(self) -> list[Notice]:
        """Take a turn: send what is due, take in what has come. Raises Stop (exit 4)."""

    def waits(self) -> bool:
        """Return whether there is more to take in at once."""

    def marked(self, safe: Callable[[], bool]) -> Callable[[], bool]:
        """Return `safe`, extended by what a checkpoint of the present state has to wait for."""

    def saved(self) -> None:
        """Note that the checkpoint that was marked last is on disk."""

    def settle(self, timeout: float) -> bool:
        """At the end, send what waits, and wait (seconds). Return whether a checkpoint may be written."""

    def close(self) -> None: ...

    def silent(self) -> bool:
        """Return whether nothing may be written to the store."""

    def blocked(self) -> bool:
        """Return whether reading must pause."""

    def problem(self) -> str | None:
        """Return why this process is not ready; None if it is."""

    def live(self) -> dict[str, Any]: ...

    def load(self, state: dict[str, Any]) -> None: ...
