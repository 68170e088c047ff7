"""Log to stderr: for people in a terminal, as JSON elsewhere. What cannot be written is dropped (`output`)."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from rich.console import Console

from consumers.terminal.rate_limiter import Repeats

WIDE = 140


def console(stderr: bool = False) -> Console:
    """Return a console for results on stdout (or stderr). In a file or a pipe it does not fold lines to 80 characters.

    It reads nothing as markup, because titles, ids and paths contain [brackets] and :words:.
    """
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(
        stderr=stderr, width=None if terminal else WIDE, markup=False, emoji=False, highlight=False
    )


def _without_users(_: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Remove user ids above debug: a log is kept longer than the events, and more people read it."""
    if method != "debug":
        for field in ("user", "user_id", "key", "event_id"):
            event.pop(field, None)
    return event


def configure(debug: bool = False, quiet: bool = False) -> None:
    """Set up structlog. Libraries are quiet: their errors reach us as exceptions. `quiet`: errors only."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    terminal = sys.stderr.isatty()
    least = logging.DEBUG if debug else logging.ERROR if quiet else logging.INFO
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            _without_users,
            Repeats(),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if terminal else "iso", utc=not terminal),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
