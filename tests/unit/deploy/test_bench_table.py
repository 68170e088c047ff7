"""README's table of speed is made from a report, between its marks and nowhere else."""

from __future__ import annotations

import pytest

from consumers.bench.run.command import Failed, Report
from consumers.bench.run.figure import Figure
from deploy.bench_table import BEGIN, END, README, rewritten

REPORT = Report(
    date="2026-11-28",
    machine={"cpu": "A CPU", "cores": 2, "memory_gb": 24.7, "load_before": 0.1},
    versions=dict.fromkeys(
        ("python", "numpy", "numba", "torch", "river", "kafka-python", "redis server"), "1.0"
    ),
    quick=False,
    broker="Apache Kafka 4.4",
    rows=[
        Figure("drain", "run drains a backlog", 408.4, "events/s", "higher", "generated", "32 lists/s"),
        Figure("drain", "  ÷ bare consumer.poll", 0.00285, "ratio", "higher", "ml", "143,000 records/s"),
        Figure("memory", "memory of a user", 3900.0, "bytes", "lower", "mean", "7 users: taste 1, id 2"),
    ],
    failed=[Failed("read", "bare_get", "bare_get: exit code 1")],
)


def test_the_block_is_replaced() -> None:
    """The table has machine, date, broker, each figure and each failure; the text around it stays."""
    text = rewritten(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n", REPORT)
    assert text.startswith(
        f"before\n\n{BEGIN}\nA CPU, 2 cores, 24.7 GB; 2026-11-28; broker: Apache Kafka 4.4; python"
    )
    assert text.endswith(f"{END}\n\nafter\n")
    assert "old" not in text
    assert "| run drains a backlog | 408 events/s | 32 lists/s |" in text
    assert "| ÷ bare consumer.poll | 0.0029 ratio | ml; 143,000 records/s |" in text
    assert "| memory of a user | 3,900 bytes | mean; 7 users |" in text
    assert "| read | failed | bare_get |" in text


@pytest.mark.parametrize("text", ["no marks", f"{BEGIN}{END}{BEGIN}{END}"], ids=["none", "two"])
def test_marks_are_needed(text: str) -> None:
    """Without the marks the table has no place, which is an error."""
    with pytest.raises(ValueError, match="blocks"):
        rewritten(text, REPORT)


def test_readme_has_its_block() -> None:
    """The marks are there once, and the table is in place."""
    text = README.read_text(encoding="utf-8")
    assert rewritten(text, REPORT) != text
    assert "events/s a core" in text.split(BEGIN)[1].split(END)[0]
