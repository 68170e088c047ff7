"""Show several processes live: one line for each, and what happened. Without a terminal, print a line now and then."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from consumers.demo.live_view import story_text
from consumers.demo.screen import Screen
from consumers.demo.shards.member import CATCHING_UP, KILLED, READY, STARTING, STOPPED, STOPPING
from consumers.demo.shards.readings import Reading, cpu_share
from consumers.terminal.plain_text import plain

STYLES = {
    READY: "green",
    KILLED: "bold red",
    STARTING: "yellow",
    CATCHING_UP: "yellow",
    STOPPING: "dim",
    STOPPED: "dim",
}
CAPTION = "of others: since the process started; CPU: of one core"
RATE_SECONDS = 4.0
"""The time over which events a second are counted."""


class Row(NamedTuple):
    """One process. learned: events, as the store has them for a shard, as it told itself for the network.

    readings: what it told last; nothing while it does not run.
    """

    name: str
    state: str
    learned: int
    readings: tuple[Reading, ...] = ()
    trains: bool = False
    """Whether it is the network's process, which has no events of its own."""


class Rates:
    """Counts events a second of each process over the last seconds. clock: seconds of a steady clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: deque[tuple[float, dict[str, int]]] = deque()

    def note(self, learned: dict[str, int]) -> None:
        now = self._clock()
        self._held.append((now, learned))
        while len(self._held) > 2 and now - self._held[1][0] >= RATE_SECONDS:
            self._held.popleft()

    def of(self, name: str) -> float:
        """Return events a second; 0 without two looks. A count that fell, as after a crash, is no rate."""
        if len(self._held) < 2:
            return 0.0
        (then, before), (now, after) = self._held[0], self._held[-1]
        return max(0.0, (after.get(name, 0) - before.get(name, 0)) / max(now - then, 1e-9))


class ShardsView:
    """Draws what it is given. A context: while it lasts, the terminal shows the view."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock, self._begun = console, clock, clock()
        self._rates, self._rows = Rates(clock), list[Row]()
        self._story = list[str]()
        self.note = ""
        """What goes on now; shown below the table."""
        self._screen = Screen(console, clock)

    def __enter__(self) -> Self:
        self._screen.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._screen.__exit__(*raised)

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._begun

    def tell(self, what: str) -> None:
        """Add a line to the story; without a terminal, print it."""
        line = f"{self.seconds:4.0f} s  {what}"
        self._story.append(line)
        if not self._screen.draws:
            self._console.print(plain(line), soft_wrap=True)

    def refresh(self, rows: Sequence[Row]) -> None:
        """Show these processes."""
        self._rows = list(rows)
        self._rates.note({row.name: row.learned for row in rows})
        self._screen.refresh(self.shown, self._line)

    def shown(self) -> Group:
        """Return what is shown: the table, then as much of the story as the terminal has room for."""
        parts: list[RenderableType] = [self._head(), "", processes_table(self._rows, self._rates)]
        if self.note:
            parts += ["", plain(self.note, "bold")]
        room = self._console.height - 2 - len(self._console.render_lines(Group(*parts), pad=False))
        story = list[str]()
        for line in reversed(self._story):
            room -= len(self._console.render_lines(plain(line), pad=False))
            if room < 0:
                break
            story.insert(0, line)
        return Group(*parts, "", story_text(story)) if story else Group(*parts)

    def _head(self) -> Text:
        shards = [row for row in self._rows if not row.trains]
        learned = sum(row.learned for row in shards)
        rate = sum(self._rates.of(row.name) for row in shards)
        return Text(f"{self.seconds:.0f} s  {learned:,} learned by {len(shards)} shards  {rate:,.0f}/s")

    def _line(self) -> Text:
        each = "  ".join(f"{row.name} {row.state} {row.learned:,}" for row in self._rows)
        return plain(f"{self._head().plain}: {each}")


def processes_table(rows: Sequence[Row], rates: Rates) -> Table:
    """Return a table with a line for each process. A figure that it does not tell now is left out."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left", caption_style="dim")
    table.caption = CAPTION
    for name in ("process", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("learned", "per s", "of others", "lag", "facts lag", "CPU", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        last = row.readings[-1] if row.readings else None
        table.add_row(
            row.name, Text(row.state, STYLES.get(row.state, "")), f"{row.learned:,}",
            f"{rates.of(row.name):,.0f}", *_told(last, row.trains), *_costs(row.readings),
        )  # fmt: skip
    return table


def _told(last: Reading | None, trains: bool) -> tuple[str, str, str]:
    """Write events of others, the lag, and the records of facts that wait."""
    if last is None:
        return "", "", ""
    return "" if trains else f"{last.folded:,.0f}", f"{last.lag:,.0f}", f"{last.facts_lag:,.0f}"


def _costs(readings: tuple[Reading, ...]) -> tuple[str, str]:
    share = cpu_share(readings)
    memory = f"{readings[-1].memory / 1e6:,.0f}" if readings else ""
    return "" if share is None else f"{100 * share:.0f} %", memory
