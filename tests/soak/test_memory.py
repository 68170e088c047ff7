"""Run `memory.py` with few users. Only `make soak` runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.memory import run


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_times_more_users_than_rows(tmp_path: Path) -> None:
    """Memory stays flat, and every other law of `memory.py` holds."""
    report = run(120_000, 10_000, tmp_path)
    assert [what for what, holds in report["verdicts"].items() if not holds] == []
    assert (tmp_path / "memory.png").stat().st_size > 0
