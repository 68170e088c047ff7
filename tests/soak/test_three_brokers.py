"""Run `three_brokers.py`. Only `make soak` runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from consumers.demo.embedded_servers import NotInstalledError
from tests.soak.three_brokers import run

RATE = 1_000.0


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_brokers_go_and_come_back(
    tmp_path: Path, own_store: Any, missing: Callable[[object], NoReturn]
) -> None:
    """Every law of `three_brokers.py` holds over a stream of a thousand events a second."""
    try:
        report = run(tmp_path, own_store.url, RATE)
    except NotInstalledError as error:
        missing(error)
    print(report["figures"])  # noqa: T201  the soak's figures
    assert [what for what, holds in report["verdicts"].items() if not holds] == []
