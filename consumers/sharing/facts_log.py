"""The log that shards share facts through, as the pipeline needs it, and what is done with each of its records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from consumers.errors import STATE_UNUSABLE, Stop
from models.sharing.packing import FactsError, unpack
from models.sharing.shared_facts import SharedFacts
from serving.shard_metrics import ShardMetrics


class FactsLog(Protocol):
    """One ordered log that all shards write to and read. One thread calls it; any thread may call `wait`."""

    def start(self, offset: int) -> Iterable[list[tuple[int, bytes]]]:
        """Fence an earlier process of this shard, then return the records there are now from `offset` on, in parts.

        Each record comes with the offset after it. Take all parts before anything else. Raises Stop (exit 4) if records
        from `offset` on are gone.
        """

    def poll(self) -> list[tuple[int, bytes]]:
        """Return the records that have come since, without waiting."""

    def send(self, record: bytes, key: bytes | None = None) -> None:
        """Hand a record over. It is safe once `wait` says so. key: of a log that keeps the newest record of each."""

    @property
    def sent(self) -> int:
        """The number of records handed over so far."""

    def wait(self, count: int, timeout: float | None = None) -> bool:
        """Wait until the first `count` records are acknowledged, or until `close`. Return whether they are."""

    def unacknowledged(self) -> float:
        """Return for how many seconds records have waited for an acknowledgement; 0 if none waits."""

    def behind(self) -> int:
        """Return the number of offsets that were not handed out yet, as far as is known."""

    def check(self) -> None:
        """Raise Stop (exit 4) once a later process of this shard has begun, or nothing can be sent any more."""

    def close(self) -> None: ...


def facts_of(value: bytes, topic: str) -> SharedFacts:
    """Return the facts of a record of this topic. Raises Stop (exit 4) for one that cannot be read."""
    try:
        return unpack(value)
    except FactsError as error:
        raise Stop(f"topic {topic}: {error}", STATE_UNUSABLE) from error


def count_facts(
    metrics: ShardMetrics, found: Sequence[SharedFacts], new: int, folded: int, seconds: float, now: float
) -> None:
    """Count facts that were read.

    new: how many of them had not been read before. folded: how many were learned. seconds: of CPU for that. now:
    seconds since the epoch.
    """
    metrics.facts.labels("folded").inc(folded)
    metrics.dropped.inc(sum(one.size for one in found) - new)
    if folded:
        metrics.foreign_event_seconds.observe(seconds / folded)
        newest = max(int(one.time.max()) for one in found if one.size)
        metrics.lag_seconds.set(max(0.0, now - newest / 1000))
