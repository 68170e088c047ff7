"""Run `calm.py` for ten minutes on Apache Kafka, for two on the embedded broker. Only `make soak` runs it.

The embedded broker searches all batches of a partition at every fetch. At two hundred events a second it uses up a core
after some seven minutes, and every reader falls behind.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.soak.calm import run
from tests.support.kafka.brokers import BROKERS, bootstrap_of

MINUTES, RATE = {"apache": 10.0, "embedded": 2.0}, 200.0


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", BROKERS)
def test_nothing_stalls_and_nothing_is_lost(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, own_store: Any
) -> None:
    """Every law of `calm.py` holds over a stream of two hundred events a second."""
    report = run(tmp_path, bootstrap_of(request, kind), own_store.url, MINUTES[kind], RATE)
    print(report["figures"])  # noqa: T201  the soak's figures
    assert [what for what, holds in report["verdicts"].items() if not holds] == []
