"""Define the options of `crosscurrent demo`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from consumers.datasets.options import ReadOptions


class DemoOptions(msgspec.Struct, frozen=True):
    """The options of `demo`."""

    events: int
    rate: float
    """Events a second."""
    seed: int
    files: tuple[Path, ...] = ()
    """The user's own files. Without any, a simulated world is used."""
    target: str | None = None
    keep: bool = False
    """Whether broker, store and service stay up until Ctrl-C."""
    report: Path = Path("report")
    reading: ReadOptions = ReadOptions()
    """How `files` are read."""
