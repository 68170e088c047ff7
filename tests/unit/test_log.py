"""Logs go to stderr, and never end the service."""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Iterator

import pytest
import structlog

from consumers import log


@pytest.fixture(autouse=True)
def _defaults_after() -> Iterator[None]:
    yield
    structlog.reset_defaults()


class Full(io.StringIO):
    """A stream on a full disk."""

    tries = 0

    def write(self, text: str) -> int:
        self.tries += 1
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_under_the_log_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is dropped."""
    full = Full()
    monkeypatch.setattr(sys, "stderr", full)
    log.configure()
    structlog.get_logger().info("started")
    assert full.tries > 0


def test_json_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON object a line where there is no terminal; nothing on stdout."""
    log.configure()
    structlog.get_logger().warning("careful", n=1)
    said = capsys.readouterr()
    assert said.out == ""
    assert '"event": "careful"' in said.err
    assert '"n": 1' in said.err
