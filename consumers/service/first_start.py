"""Compile the numeric code at the first start on a machine, so that no event waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from consumers.errors import Stop
from consumers.terminal.compiling import WAITING, WHY
from models.warm_up import is_warm, warm

log = structlog.get_logger()


def compile_code(stopping: Callable[[], bool]) -> None:
    """Compile what is not compiled yet. stopping: asked between parts. Raises Stop (exit 0) if it says so."""
    if is_warm():
        return

    waiting = False

    def go_on(_ready: int, count: int) -> None:
        nonlocal waiting
        if stopping():
            raise Stop("stopped while it was compiling", 0)
        if not count and not waiting:
            log.info(WAITING)
        waiting = not count

    log.info(WHY)
    begun = time.monotonic()
    warm(go_on)
    log.info("compiled", seconds=round(time.monotonic() - begun))
