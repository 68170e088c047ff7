"""Run threads beside the loop, and report the failure of each, so that no part of the service is missing unnoticed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()


class ThreadFailed(Exception):
    """A thread that the service needs has ended. Its exception is the cause of this one."""


class Worker(threading.Thread):
    """A daemon thread that runs `work`, which handles the errors it expects and returns when it should end.

    Any other exception is kept, and `check` raises it in the loop, which ends in order. With `again`, `work` begins
    again after that many seconds instead, and the log says why: for threads that events do not need.
    """

    def __init__(self, name: str, work: Callable[[], None], again: float | None = None) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self._again = again
        self._failure: BaseException | None = None

    def run(self) -> None:
        while True:
            try:
                self._work()
            except BaseException as error:
                if self._again is None:
                    self._failure = error
                    return
                log.error("thread failed, begins again", thread=self.name, exc_info=error)
                time.sleep(self._again)
            else:
                return

    def check(self) -> None:
        """Raise ThreadFailed if an exception has ended the thread."""
        if self._failure is not None:
            raise ThreadFailed(
                f"the {self.name} thread failed: {type(self._failure).__name__}"
            ) from self._failure
