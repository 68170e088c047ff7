"""Logs go to stderr, without users, and repeats are held back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from consumers.terminal import log
from consumers.terminal.rate_limiter import MAX_REMEMBERED, Repeats
from tests.support.clock import Clock


@pytest.fixture(autouse=True)
def _defaults_after() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_users_are_named_when_debugging_only(capsys: pytest.CaptureFixture[str]) -> None:
    """A field that names a user is dropped above debug; domain and partition stay."""
    log.configure(debug=True)
    logger = structlog.get_logger()
    logger.warning("odd", user="alice", user_id="alice", key="alice", domain="books", partition=3)
    logger.debug("odd", user="alice")
    above, debug = lines(capsys)
    assert "alice" not in str(above)
    assert (above["domain"], above["partition"]) == ("books", 3)
    assert debug["user"] == "alice"


def test_repeats_are_held_back_and_counted() -> None:
    """A repeated warning passes once in 30 s, with its number; other warnings and info lines all pass."""
    clock = Clock()
    repeats = Repeats(30.0, clock)

    def tell(method: str = "warning", **fields: Any) -> dict[str, Any] | None:
        try:
            return dict(repeats(None, method, {"event": "dead letter", **fields}))
        except structlog.DropEvent:
            return None

    assert tell(domain="books", partition=1, offset=10) is not None
    assert tell(domain="books", partition=1, offset=11) is None
    assert tell(domain="books", partition=2, offset=11) is not None
    assert tell(domain="movies", partition=1) is not None
    assert tell(what="books is new") is not None
    assert tell(what="games is new") is not None  # another thing that was found, and no repeat
    assert tell("info", domain="books") == tell("info", domain="books")
    clock.now = 29.0
    assert tell(domain="books", partition=1) is None
    clock.now = 31.0
    again = tell(domain="books", partition=1)
    assert again is not None
    assert again["repeated"] == 2
    clock.now = 62.0
    assert "repeated" not in (tell(domain="books", partition=1) or {"repeated": 0})


def test_memory_of_repeats_is_bounded() -> None:
    """Only the last `MAX_REMEMBERED` different warnings are held back; an older one passes again."""
    repeats = Repeats()
    for n in range(MAX_REMEMBERED + 1):
        repeats(None, "warning", {"event": str(n)})
    with pytest.raises(structlog.DropEvent):
        repeats(None, "warning", {"event": "1"})
    assert repeats(None, "warning", {"event": "0"})


def test_json_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal each line is a JSON object on stderr, and stdout stays empty."""
    log.configure()
    structlog.get_logger().warning("careful", n=1)
    said = capsys.readouterr()
    assert said.out == ""
    assert '"event": "careful"' in said.err
    assert '"n": 1' in said.err
