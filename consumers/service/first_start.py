"""Compile the numeric code at the first start on a machine, so that no event waits for it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import structlog

from consumers.errors import Stop
from consumers.terminal.compiling import WAITING, WHY
from models.warm_up import is_warm, load_beside, warm

log = structlog.get_logger()


@contextlib.contextmanager
def compiled_code(stopping: Callable[[], bool]) -> Iterator[None]:
    """Compile what is not compiled yet, and read all of it beside what is done within the context.

    stopping: asked between parts of compiling. Raises Stop (exit 0) if it says so.
    """
    if not is_warm():
        _compile(stopping)
    loading = load_beside()
    try:
        yield
    finally:  # a process that ends while a thread is in the compiler's library might crash
        loading.join()


def _compile(stopping: Callable[[], bool]) -> None:
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
