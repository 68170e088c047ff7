"""Draw on a terminal again and again; without a terminal, print a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live

LINE_SECONDS = 5.0


class Screen:
    """Shows one thing while its context lasts. clock: seconds of a steady clock."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock, self._line_at = console, clock, clock()
        terminal = console.is_terminal
        self._live = Live(console=console, auto_refresh=False, transient=False) if terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def draws(self) -> bool:
        """Whether there is a terminal to draw on."""
        return self._live is not None

    def refresh(self, shown: Callable[[], RenderableType], line: Callable[[], RenderableType]) -> None:
        """Draw what is shown now; without a terminal, print the line if the last one is some seconds old."""
        now = self._clock()
        if self._live is not None:
            self._live.update(shown(), refresh=True)
        elif now - self._line_at >= LINE_SECONDS:
            self._line_at = now
            self._console.print(line(), highlight=False, soft_wrap=True)
