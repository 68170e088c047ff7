"""Define the options of `crosscurrent pretrain`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from consumers.datasets.options import ReadOptions


class PretrainOptions(msgspec.Struct, frozen=True):
    """The options of `pretrain`."""

    interactions: Path
    items: Path | None
    """None: the items are those of the events, without text."""
    out: Path
    domain: str | None = None
    holdout: float = 0.2
    """Share of the events, the last in time, that is measured before it is learned."""
    encoder: str | None = None
    final_fit: bool = True
    """Whether the held-out events are learned after they were measured."""
    force: bool = False
    reading: ReadOptions = ReadOptions()
    dry_run: bool = False
    yes: bool = False
