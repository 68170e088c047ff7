"""Set how much is measured: on two cores within a quarter of an hour, or quickly within two minutes."""

from __future__ import annotations

from pathlib import Path

import msgspec

from consumers.bench.parts.stream import INTERACTIONS, ITEMS
from consumers.errors import Stop

Sizes = tuple[tuple[int, int], ...]
GENERATED = "generated"


class Plan(msgspec.Struct, frozen=True):
    """Events and seconds of each contestant. The first of the two limits ends it."""

    sets: tuple[tuple[str, str], ...] = ((GENERATED, ""),)
    """Name and folder of each stream. An empty folder: events are generated."""
    events: int = 100_000
    learn_seconds: float = 25.0
    drain_seconds: float = 60.0
    fresh_seconds: float = 30.0
    rate: float = 2_000.0
    """Events a second for the row freshness."""
    list_rate: float = 1_000.0
    """Events a second for the row lists."""
    impressions: float = 0.5
    """Impressions for each event of the row shown."""
    fresh_users: int = 20_000
    """Most events of a second belong to different users, so nearly every event makes a list due."""
    fresh_items: int = 10_000
    read_seconds: float = 15.0
    growth_events: int = 4_000
    growth_seconds: float = 5.0
    growth_users: Sizes = ((10_000, 10_000), (100_000, 10_000), (1_000_000, 10_000))
    growth_items: Sizes = ((10_000, 1_000), (10_000, 10_000), (10_000, 100_000))
    """Pairs of (users, items)."""
    memory_events: int = 10_000
    shards: tuple[int, ...] = (1, 2, 4)
    """Numbers of processes, the first of them 1."""
    shard_events: int = 40_000
    shard_seconds: float = 120.0
    fact_seconds: float = 4.0
    """CPU of own events while several processes fold facts beside each other."""
    restart_users: int = 1_000_000
    restart_items: int = 20_000


QUICK = Plan(
    events=20_000,
    learn_seconds=2.0,
    drain_seconds=5.0,
    fresh_seconds=4.0,
    read_seconds=2.0,
    growth_events=500,
    growth_seconds=1.0,
    growth_users=((10_000, 10_000), (100_000, 10_000)),
    memory_events=2_000,
    shards=(1, 2),
    shard_events=8_000,
    shard_seconds=20.0,
    fact_seconds=1.0,
    restart_users=100_000,
)


def plan(quick: bool, data: Path | None, rate: float) -> Plan:
    """Return the plan for these options. Raises Stop for a folder without a set."""
    chosen = msgspec.structs.replace(QUICK if quick else Plan(), rate=rate)
    return chosen if data is None else msgspec.structs.replace(chosen, sets=sets_in(data))


def sets_in(folder: Path) -> tuple[tuple[str, str], ...]:
    """Return the sets in a folder: itself, or its folders that hold both files. Raises Stop if there are none."""
    places = [folder, *sorted(path for path in folder.glob("*") if path.is_dir())]
    found = [path for path in places if all((path / name).is_file() for name in (INTERACTIONS, ITEMS))]
    if not found:
        raise Stop(f"--data {folder}: neither it nor a folder in it holds {INTERACTIONS} and {ITEMS}")
    return tuple((path.resolve().name, str(path.resolve())) for path in found)
