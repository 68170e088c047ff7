"""Log a repeated warning only once in a while, with the number of repeats that were held back."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

SECONDS = 30.0
LIMITED = ("warning", "error", "critical")
SAME = ("event", "what", "domain", "topic", "partition", "reason", "error")
"""Two lines with equal values of these keys are repeats; numbers, offsets and times may differ."""
MAX_REMEMBERED = 1000


class Repeats:
    """A structlog processor that lets a warning or error pass once in `seconds`, then with a count, `repeated`.

    Info lines all pass: they tell of drifts, starts and stops.
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
        if len(self._told) > MAX_REMEMBERED:
            del self._told[next(iter(self._told))]
        if held:
            event["repeated"] = held
        return event
