"""Control the demo's producer: a process that sends items at once and events on command."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

import msgspec

from consumers.demo.options import BURST_RATE, STEADY_RATE, DemoOptions
from consumers.errors import BUG, Stop


class Feed:
    """The producer process: it sends items at once, events after `go`, and a line of counts at the end."""

    def __init__(self, bootstrap: str, options: DemoOptions, domains: list[str]) -> None:
        orders = {
            "bootstrap": bootstrap,
            "events": options.events,
            "burst": options.burst(),
            "burst_rate": BURST_RATE,
            "rate": options.rate or STEADY_RATE,
            "seed": options.seed,
            "files": [str(f) for f in options.files],
            "domains": domains,
            "reading": msgspec.to_builtins(options.reading),
        }
        self._process = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", "consumers.demo.producer_process", json.dumps(orders)],
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

    def counts(self) -> dict[str, int]:
        """Return what was sent, by kind. Raises Stop if the producer fails."""
        counts: dict[str, int] = json.loads(self._line())
        return counts

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Stop("the demo's producer failed; its message is above", BUG)
        return line

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
