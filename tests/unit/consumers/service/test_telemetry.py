"""Counters begin at 0, and challengers have a gauge while they run."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from structlog.testing import capture_logs

from consumers.config.loader import build
from consumers.events.record import Record
from consumers.service.telemetry import ReadinessLog, Reporter
from consumers.service.wiring import learners
from serving.metrics import Metrics
from tests.support.doubles import ListSource

SETTINGS = build(
    {
        "domains": {"movies": {"role": "source"}, "books": {"role": "target"}},
        "learner": {"users": 64, "items_per_domain": 32},
    }
)


def reporter(source: ListSource | None = None) -> Reporter:
    arms = learners(SETTINGS)
    return Reporter(SETTINGS, Metrics(), arms, source or ListSource([]))


def value(told: Reporter, name: str, **labels: str) -> float | None:
    return told.metrics.registry.get_sample_value(f"crosscurrent_{name}", labels)


def test_counters_begin_at_0() -> None:
    """Every counter of an alert exists from the start, because an increase needs two values."""
    told = reporter()
    assert value(told, "events_total", domain="books", type="click") == 0
    assert value(told, "dead_letters_total", domain="movies", reason="malformed_json") == 0
    assert value(told, "dead_letters_total", domain="", reason="unknown_domain") == 0
    assert value(told, "drift_total", domain="books", detector="bias") == 0
    assert (
        value(told, "adaptation_actions_total", domain="books", action="raise_rate", outcome="promoted") == 0
    )


def test_the_log_tells_when_readiness_turns() -> None:
    """Once a second at most, once for each turn, whatever else the reason says; the start is not ready."""
    at = [0.0]
    says = ["still reading"]
    answers: list[str | None] = []

    def ready() -> str | None:
        answers.append(says[0] or None)
        return answers[-1]

    readiness = ReadinessLog(ready, lambda: at[0])
    with capture_logs() as logs:
        for now, reason in (
            (0.5, "asked too early"), (1, "still reading"), (2, ""), (3, ""), (4, "away for 3 s"), (5, "away for 4 s"),
            (9, ""),
        ):  # fmt: skip
            at[0], says[0] = now, reason
            readiness.look()
    assert len(answers) == 6
    assert [(line["event"], line.get("reason"), line.get("not_ready_seconds")) for line in logs] == [
        ("ready", None, 2), ("not ready", "away for 3 s", None), ("ready", None, 5)
    ]  # fmt: skip


def test_challengers_have_a_gauge_while_they_run() -> None:
    """The gauge shows the events judged so far, and is gone after the verdict."""
    told = reporter()
    loop: Any = told.arms.loop
    loop.running["books", "bias"] = SimpleNamespace(action="raise_rate", test=SimpleNamespace(count=7))
    told.report({})
    assert value(told, "challenger_events", domain="books", action="raise_rate") == 7
    loop.running.clear()
    told.report({})
    assert value(told, "challenger_events", domain="books", action="raise_rate") is None


def test_tables_have_rows_and_capacity() -> None:
    """A gauge shows how full a table is before it evicts."""
    told = reporter()
    told.report({})
    assert value(told, "table_rows", table="users") == 0
    assert value(told, "table_capacity", table="users") == 64
    assert value(told, "table_capacity", table="items_books") == 32


def test_a_backlog_shows_before_anything_is_learned() -> None:
    """Records that are read or unread, but not learned, show in the gauges and in `reporter.lag`."""
    now = int(1000 * time.time())
    records = [
        Record("interactions.books", 0, n, now - 1000 * age, b"u", b"") for n, age in enumerate((300, 200))
    ]
    source = ListSource(records, poll_records=1)
    source.start({}, {})
    told = reporter(source)
    told.report({}, source.poll(0))
    assert 300 <= (value(told, "consumer_lag_seconds", domain="books") or 0) < 400
    assert value(told, "consumer_lag_records", topic="interactions.books", partition="0") == 2
    before = told.lag
    told.report({("interactions.books", 0): 1})
    assert 200 <= told.lag.seconds["books"] < 300
    assert before.records == {("interactions.books", 0): 2}
