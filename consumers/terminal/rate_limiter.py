"""A warning that comes again and again is told once in a while, with how often it was held back."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

SECONDS = 30.0
LIMITED = ("warning", "error", "critical")
SAME = ("event", "domain", "topic", "partition", "reason", "error")
"""Two lines that agree in these tell the same; numbers, offsets and times may differ."""
MOST = 1000


class Repeats:
    """A structlog processor. A warning or error passes once in `seconds`; the first one after that carries `repeated`.

    Info is the story of drifts and of starting and stopping: it all passes.
    """

    def __init__(self, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._told: dict[tuple[str, ...], tuple[float, int]] = {}

    def __call__(self, _: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if method not in LIMITED:
            return event
        key = (method, *(str(event.get(field)) for field in SAME))
        now = self._clock()
        since, held = self._told.pop(key, (now - self._seconds, 0))
        if now - since < self._seconds:
            self._told[key] = since, held + 1
            raise structlog.DropEvent
        self._told[key] = now, 0
        if len(self._told) > MOST:
            del self._told[next(iter(self._told))]
        if held:
            event["repeated"] = held
        return event
