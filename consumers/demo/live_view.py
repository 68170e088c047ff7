"""Show the demo live in a terminal; without a terminal, print a line every few seconds."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Self

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from consumers.demo.screen import Screen
from consumers.demo.showcase import Showcase
from consumers.report.example import Example, listed
from consumers.report.figures import LATEST, NAMES, figure, gain
from consumers.service.service import Service
from consumers.service.telemetry import line
from consumers.terminal.plain_text import joined, plain
from models.arms.arm_comparison import ArmComparison
from models.assessment.prequential import NDCG_LOSS, RMSE

STORY_LINES = 3


class View:
    """Reads the figures of a running service. It changes nothing."""

    def __init__(self, service: Service, console: Console, showcase: Showcase | None = None) -> None:
        self._service = service
        self._console = console
        self._showcase = showcase
        self._begun = time.monotonic()
        self._recent: deque[tuple[float, int]] = deque([(self._begun, 0)], maxlen=20)
        self._screen = Screen(console)

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self._screen.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._screen.__exit__(*raised)

    def refresh(self) -> None:
        self._recent.append((time.monotonic(), self._service.pipeline.totals["learned"]))
        self._screen.refresh(self.shown, self._head)

    def shown(self) -> Group:
        """Return what is shown: as much of the example as the terminal has room for, then of the story."""
        top: list[RenderableType] = [self._head(), "", domains_table(self._service.arms)]
        parts = top
        example = None if self._showcase is None else self._showcase.example
        for size in (3, 2, 1):
            if example is None:
                break
            parts = [*top, "", in_terminal(example.shortened(size))]
            if self._lines(Group(*parts)) < self._console.height:
                break
        room = self._console.height - self._lines(Group(*parts)) - 2
        story = self._story()
        while story and self._lines(story_text(story)) > room:
            story = story[1:]
        return Group(*parts, "", story_text(story)) if story else Group(*parts)

    def _lines(self, part: RenderableType) -> int:
        return len(self._console.render_lines(part, pad=False))

    def _head(self) -> Text:
        service = self._service
        (then, before), (now, learned) = self._recent[0], self._recent[-1]
        rate = (learned - before) / max(now - then, 1e-9)
        fresh = (service.freshness_ms or [0.0])[-2000:]
        p50, p99 = np.percentile(fresh, [50, 99])
        lag = sum(service.pipeline.reporter.lag.records.values())
        return Text(
            f"{now - self._begun:.0f} s  {learned:,} learned  {rate:,.0f}/s  lag {lag:,}  "
            f"fresh after {p50:.0f} ms (99 %: {p99:.0f} ms)"
        )

    def _story(self) -> list[str]:
        latest = list(self._service.pipeline.reporter.story)[-STORY_LINES:]
        return [line(events, notice) for events, notice in latest]


def story_text(lines: list[str]) -> Text:
    return plain("\n".join(lines), "yellow")


def domains_table(arms: ArmComparison) -> Table:
    """Return a table with each domain's errors over its latest events; columns without a figure are left out."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), title_justify="left", title_style="dim")
    table.title = f"predictions of the {LATEST}, with transfer and without"
    table.add_column("domain", overflow="fold")
    table.add_column("role")
    table.add_column("events", justify="right")
    shown = [
        metric for metric in (RMSE, NDCG_LOSS) if any(key[1] == metric for key in arms.prequential.measured())
    ]
    for metric in shown:
        for name in (NAMES[metric], "without", "gain"):
            table.add_column(name, justify="right")
    table.add_column("drifts", justify="right")
    for domain in arms.full.domains:
        cells = [domain.name, domain.role, f"{arms.full.learned[arms.full.index[domain.name]]:,}"]
        for metric in shown:
            full, alone = (
                arms.prequential.error(domain.name, metric, arm) for arm in ("full", "target_only")
            )
            cells += [figure(metric, full), figure(metric, alone if domain.is_target else None)]
            cells.append(gain(metric, full, alone) if domain.is_target else "")
        drifts = _alarms(arms, domain.name)
        table.add_row(*cells, str(drifts) if drifts else "")
    return table


def in_terminal(example: Example) -> RenderableType:
    """Return one user's lists for a terminal of any width."""
    parts: list[RenderableType] = [joined((example.user, "bold"), example.past())]
    parts.append(plain(f"{example.heading()}:", "green"))
    for place, one in enumerate(example.suggested, 1):
        because = f", because it {one.because}" if one.because else ""
        parts.append(Padding(joined(f"{place} ", (one.title, "bold green"), because), (0, 0, 0, 2)))
    parts.append(joined(("without transfer: ", "dim"), listed(example.without)))
    return Group(*parts)


def _alarms(arms: ArmComparison, domain: str) -> int:
    """Count the drifts that any detector has seen in this domain."""
    watches = arms.loop.drift.watches if arms.loop is not None else {}
    # The loop's thread may add one at the same time, so a copy is read.
    return sum(watch.count for (name, _), watch in list(watches.items()) if name == domain)
