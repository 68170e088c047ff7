"""Define what a contestant is asked for, and how it answers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Literal

import msgspec


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one contestant is asked for. It reads the fields that it needs."""

    data: str = ""
    """Folder with interactions.csv.gz and items.csv.gz. Empty: events are generated."""
    events: int = 2_000
    """Events of the stream, with the warm-up."""
    seconds: float = 10.0
    """Longest time to measure; CPU time for contestants in process. Fewer events are measured if they take longer."""
    batch: int = 16
    """Events in a micro-batch."""
    folded: int = 256
    """Most facts that are folded together."""
    threads: int = 1
    shards: int = 1
    """Processes that share the stream."""
    alone: bool = False
    """Whether these processes share nothing instead. Each has topics and a database of its own."""
    rate: float = 1_000.0
    """Events a second that are sent."""
    impressions: float = 0.0
    """Impressions a second that are sent beside them, not more than events."""
    users: int = 10_000
    items: int = 10_000
    """Items of all domains together."""
    sizes: tuple[tuple[int, int], ...] = ()
    """Pairs of users and items."""
    bootstrap: str = ""
    """The broker, `host:port`."""
    prefix: str = ""
    """What the names of topics begin with."""
    format: Literal["json", "avro"] = "json"
    """Format of interactions."""
    registry: str = ""
    """The schema registry, for Avro."""
    url: str = ""
    """The store."""
    folder: str = ""
    """Folder of a checkpoint."""


def answer(measure: Callable[[Task], dict[str, Any]]) -> None:
    """Read the task from the command line, measure, and print the figures as one JSON object."""
    task = msgspec.json.decode(sys.argv[1] if len(sys.argv) > 1 else "{}", type=Task)
    print(msgspec.json.encode(measure(task)).decode(), flush=True)  # noqa: T201  the parent reads it
