"""Define the options of `crosscurrent demo`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from consumers.datasets.options import ReadOptions
from consumers.demo.addresses import USUAL, Ports
from consumers.simulator.scenarios.scenario import Name

BURST_SHARE = 0.6
"""Share of the events that comes first, fast."""
BURST_RATE, STEADY_RATE = 3_000.0, 120.0
"""Events a second: about as many as two cores learn, and few enough to see how fresh what is published is."""


class DemoOptions(msgspec.Struct, frozen=True):
    """The options of `demo`."""

    events: int
    rate: float | None
    """Events a second. None: most of them at `BURST_RATE`, the others at `STEADY_RATE`."""
    seed: int
    scenario: Name | None = None
    """The subject of the simulated world; None for the default one."""
    files: tuple[Path, ...] = ()
    """The user's own files. Without any, a simulated world is used."""
    target: str | None = None
    keep: bool = False
    """Whether broker, store and service stay up until Ctrl-C."""
    report: Path = Path("report")
    config: Path = Path("demo.toml")
    """With `keep`: where the config for the other commands is written."""
    ports: Ports = USUAL
    """With `keep`: where broker, store and metrics listen, if these ports are free."""
    reading: ReadOptions = ReadOptions()
    """How `files` are read."""
    shards: int = 1
    """Processes that share the users. With several, one of them is killed and comes back."""

    def burst(self) -> int:
        """Return how many events come first, fast."""
        return int(BURST_SHARE * self.events) if self.rate is None else 0
