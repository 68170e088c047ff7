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
    dry_run: bool = False
    yes: bool = False
