"""Define the options of `crosscurrent replay`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from consumers.datasets.options import ReadOptions


class ReplayOptions(msgspec.Struct, frozen=True):
    """The options of `replay`."""

    files: tuple[Path, ...]
    domain: str | None = None
    """The domain of all rows; of files with a domain column, the domain whose rows are used."""
    reading: ReadOptions = ReadOptions()
    rate: float | None = None
    """Interactions a second; None: as fast as the broker takes them."""
    create_topics: bool = False
    partitions: int = 4
    """Partitions of interaction topics that are created."""
    dry_run: bool = False
    yes: bool = False
