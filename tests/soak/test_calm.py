"""Run `calm.py` for ten minutes. Only `make soak` runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.soak.calm import run

MINUTES, RATE = 10.0, 200.0


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_nothing_stalls_and_nothing_is_lost(tmp_path: Path, bootstrap: str, own_store: Any) -> None:
    """Every law of `calm.py` holds over a stream of two hundred events a second."""
    report = run(tmp_path, bootstrap, own_store.url, MINUTES, RATE)
    print(report["figures"])  # noqa: T201  the soak's figures
    assert [what for what, holds in report["verdicts"].items() if not holds] == []
