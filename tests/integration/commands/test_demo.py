"""`crosscurrent demo` as its users run it: fast at first, then steady, nothing lost, nothing left running."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from consumers.demo.options import BURST_SHARE

EVENTS = 1_500
pytestmark = pytest.mark.timeout(300)


def demo(folder: Path, *words: str) -> tuple[str, dict[str, Any]]:
    """Return what it printed, and its figures."""
    line = [sys.executable, "-m", "consumers.cli", "demo", "--events", str(EVENTS), *words]
    files = ["--report", str(folder / "report"), "--json", str(folder / "demo.json")]
    done = subprocess.run([*line, *files], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr, json.loads((folder / "demo.json").read_text())


def test_fast_at_first_then_steady(tmp_path: Path, broker: Any, redis_store: Any) -> None:
    """Every event is accounted for; the burst has figures of its own; the page and the list are there."""
    del broker, redis_store  # both servers are installed here
    said, figures = demo(tmp_path)
    assert figures["lost"] == 0
    assert figures["learned"] == EVENTS
    assert BURST_SHARE * EVENTS <= figures["burst_events"] < EVENTS
    assert figures["burst_events_per_second"] is not None
    assert "a second; from then on:" in said
    assert "redis-cli -u redis://" in said
    assert (tmp_path / "report" / "index.html").exists()


def test_one_rate_from_first_to_last(tmp_path: Path, broker: Any, redis_store: Any) -> None:
    """The demo sends at `--rate`, and reports no burst."""
    del broker, redis_store
    said, figures = demo(tmp_path, "--rate", "1000")
    assert figures["lost"] == 0
    assert figures["learned"] == EVENTS
    assert figures["burst_events_per_second"] is None
    assert "from then on" not in said
