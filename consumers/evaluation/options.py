"""Define the options of `crosscurrent evaluate` on files."""

from __future__ import annotations

from pathlib import Path

import msgspec

from consumers.datasets.options import ReadOptions


class EvaluateOptions(msgspec.Struct, frozen=True):
    """The options of `evaluate` on recorded events."""

    interactions: Path
    items: Path | None
    """None: the items are those of the events, without text."""
    target: str
    """The domain that is measured."""
    reading: ReadOptions = ReadOptions()
    predictions: Path | None = None
    plot: Path | None = None
    seeds: int = 1
    strategies: tuple[str, ...] = ()
    """Adaptation strategies. Each gets an arm `full_<strategy>`."""
    shards: int = 1
    """Shards of the arms `full_shards` and `full_isolated`, which are left out with one."""
    lag_seconds: float | None = None
    lag_events: int | None = None
    """How late shards learn of each other's events; see `sharded_arm.lag_of`."""
    dry_run: bool = False
    yes: bool = False
    config: Path | None = None
    """Where the settings come from, for messages."""
