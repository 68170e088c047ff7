"""Show the demo live in a terminal; without a terminal, print a line every few seconds."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from consumers.service.service import Service
from consumers.service.telemetry import line
from models.arms.arm_comparison import ArmComparison
from models.assessment.prequential import NDCG_LOSS, RMSE

LINE_SECONDS = 5.0
STORY_LINES = 4


class View:
    """Reads the figures of a running service. It changes nothing."""

    def __init__(self, service: Service, console: Console) -> None:
        self._service = service
        self._console = console
        self._begun = time.monotonic()
        self._recent: deque[tuple[float, int]] = deque([(self._begun, 0)], maxlen=20)
        self._live = (
            Live(console=console, auto_refresh=False, transient=False) if console.is_terminal else None
        )
        self._line_at = self._begun

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def refresh(self) -> None:
        now = time.monotonic()
        self._recent.append((now, self._service.pipeline.totals["learned"]))
        if self._live is not None:
            self._live.update(Group(self._head(), self._domains(), self._story()), refresh=True)
        elif now - self._line_at >= LINE_SECONDS:
            self._line_at = now
            self._console.print(self._head().plain, highlight=False, soft_wrap=True)

    def _head(self) -> Text:
        service = self._service
        (then, before), (now, learned) = self._recent[0], self._recent[-1]
        rate = (learned - before) / max(now - then, 1e-9)
        fresh = (service.freshness_ms or [0.0])[-2000:]
        p50, p99 = np.percentile(fresh, [50, 99])
        lag = sum(service.pipeline.reporter.lag.records.values())
        return Text(
            f"{now - self._begun:5.0f} s   {learned:,} events learned   {rate:,.0f}/s   lag {lag:,}   "
            f"fresh after {p50:.0f} ms (p99 {p99:.0f} ms)   model {service.arms.full.model}"
        )

    def _story(self) -> Text:
        latest = list(self._service.pipeline.reporter.story)[-STORY_LINES:]
        return Text("\n".join(line(events, notice) for events, notice in latest), style="yellow")

    def _domains(self) -> Table:
        arms = self._service.arms
        table = Table(box=None, pad_edge=False, title_justify="left")
        for column in ("domain", "role", "events"):
            table.add_column(column)
        for column in ("error", "no transfer", "gain", "NDCG@10", "no transfer", "drifts"):
            table.add_column(column, justify="right")
        for domain in arms.full.domains:
            cells = [domain.name, domain.role, f"{arms.full.learned[arms.full.index[domain.name]]:,}"]
            full = arms.prequential.error(domain.name, RMSE, "full")
            target_only = arms.prequential.error(domain.name, RMSE, "target_only")
            cells += [_error_cell(full), _error_cell(target_only), _gain(full, target_only)]
            cells += [
                _error_cell(None if loss is None else 1 - loss)
                for loss in (
                    arms.prequential.error(domain.name, NDCG_LOSS, arm) for arm in ("full", "target_only")
                )
            ]
            drifts = _alarms(arms, domain.name)
            table.add_row(*cells, str(drifts) if drifts else "")
        return table


def _alarms(arms: ArmComparison, domain: str) -> int:
    """Count the drifts that any detector has seen in this domain."""
    watches = arms.loop.drift.watches if arms.loop is not None else {}
    # The loop's thread may add one at the same time, so a copy is read.
    return sum(watch.count for (name, _), watch in list(watches.items()) if name == domain)


def _error_cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _gain(full: float | None, target_only: float | None) -> str:
    return "" if full is None or not target_only else f"{100 * (1 - full / target_only):+.1f} %"
