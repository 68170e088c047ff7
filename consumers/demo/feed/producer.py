"""Control the demo's producer: a process that sends items at once and events on command."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path
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
        self,
        bootstrap: str,
        options: DemoOptions,
        domains: list[str],
        world: WorldSettings | None,
        sent_file: Path | None = None,
    ) -> None:
        """world: what is simulated; None: the files of the options are sent. sent_file: see `PacedFeed`."""
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
            "sent_file": "" if sent_file is None else str(sent_file),
        }
        self._process = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", "consumers.demo.feed.producer_process", json.dumps(orders)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,  # Ctrl-C in a terminal is for the demo, which then ends its producer
        )

    def wait_for_items(self) -> None:
        """Return once all items are in the log. Raises Stop if the producer fails."""
        self._line()

    def go(self) -> None:
        """Let the events come."""
        self._write("go")

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n")
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
        """End the producer, wherever it is."""
        self._process.terminate()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class PacedFeed(Feed):
    """A feed that waits after the events that come first, until it is told how fast the others may come.

    At its end it writes every event that it has sent, for `read_sent`, into `sent_file`.
    """

    _first: int | None = None
    _waiting: threading.Thread | None = None

    def go(self) -> None:
        super().go()
        self._waiting = threading.Thread(target=self._wait_for_first, name="feed", daemon=True)
        self._waiting.start()

    def _wait_for_first(self) -> None:
        with contextlib.suppress(Stop):  # `placed` raises it again
            self._first = json.loads(self._line())["burst"]

    def first_sent(self) -> int | None:
        """Return how many events to be learned came first; None until all of them are sent."""
        return self._first

    def go_on(self, rate: float) -> None:
        """Send the others at this rate, events a second."""
        self._write(f"{rate}")

    def stop(self) -> None:
        self._process.terminate()
        if self._waiting is not None:
            self._waiting.join()  # it reads what is closed now
        super().stop()
