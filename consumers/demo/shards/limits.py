"""Decide how many shards the demo can show on this machine."""

from __future__ import annotations

from pathlib import Path

from consumers.errors import Stop
from consumers.system_files import MEMORY, kilobytes

MOST_SHARDS = 8
PARTITIONS = 8
"""Partitions of each topic of events, or a little more, so that every shard has as many as the others."""
PROCESS_MB, OTHERS_MB = 600, 700
"""Memory of a process of the service; and of the demo itself with its feed, broker and store."""


def partitions_for(shards: int) -> int:
    """Return the number of partitions that deals the users out evenly: a multiple of the shards.

    >>> [partitions_for(shards) for shards in (1, 2, 3, 4, 5, 8)]
    [8, 8, 9, 8, 10, 8]
    """
    return shards * -(-PARTITIONS // shards)


def check_shards(shards: int, free_mb: int | None) -> None:
    """Raise Stop for a number that the demo does not show, or for which memory is missing.

    free_mb: memory that is free; None if nobody knows.
    """
    if not 2 <= shards <= MOST_SHARDS:
        raise Stop(f"--shards {shards}: give 1 (one process) to {MOST_SHARDS}")
    needed = (shards + 1) * PROCESS_MB + OTHERS_MB
    if free_mb is not None and free_mb < needed:
        raise Stop(
            f"--shards {shards}: its {shards + 1} processes need about {needed / 1000:.1f} GB of memory, and "
            f"{free_mb / 1000:.1f} GB are free. Give a smaller number, or end other programs."
        )


def free_memory(path: Path = MEMORY) -> int | None:
    """Return how much memory is free, in MB; None where the system does not tell it."""
    found = kilobytes("MemAvailable", path)
    return None if found is None else found // 1024
