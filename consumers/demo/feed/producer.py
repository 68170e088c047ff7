"""Control the demo's producer: a process that sends items at once and events on command."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import Any, NamedTuple

import msgspec

from consumers.demo.options import BURST_RATE, STEADY_RATE, DemoOptions
from consumers.errors import BUG, Stop
from consumers.simulator.world_settings import WorldSettings


class Part(NamedTuple):
    """The feed's events in one partition: how many, and the offset behind the last."""

    events: int
    end: int


Placed = dict[tuple[str, int], Part]
"""Where the feed's events are in the log, by topic and partition."""


class Feed:
    """The producer process: it sends items at once, events after `go`, and at the end it says where they are."""

    def __init__(
        self, bootstrap: str, options: DemoOptions, domains: list[str], world: WorldSettings | None
    ) -> None:
        """world: what is simulated; None: the files of the options are sent."""
        orders = {
            "bootstrap": bootstrap,
            "events": options.events,
            "burst": options.burst(),
            "burst_rate": BURST_RATE,
            "rate": options.rate or STEADY_RATE,
            "world": msgspec.to_builtins(world),
            "files": [str(f) for f in options.files],
            "domains": domains,
            "reading": msgspec.to_builtins(options.reading),
        }
        self._process = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", "consumers.demo.feed.producer_process", json.dumps(orders)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_for_items(self) -> None:
        """Return once all items are in the log. Raises Stop if the producer fails."""
        self._line()

    def go(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("go\n")
            self._process.stdin.flush()

    def finished(self) -> bool:
        return self._process.poll() is not None

    def placed(self) -> Placed:
        """Return where the events are, once all are sent. Raises Stop if the producer fails."""
        parts: list[Any] = json.loads(self._line())
        return {(topic, partition): Part(events, end) for topic, partition, events, end in parts}

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Stop("the demo's producer failed; its message is above", BUG)
        return line

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
