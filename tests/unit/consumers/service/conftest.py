"""A disk that can be full."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.state import checkpoint


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Writes fail with `errno` while it is not 0."""
    state = {"errno": 0}
    real = checkpoint._write

    def write(path: Path, data: bytes) -> None:
        if state["errno"] and path.name == "state.msgpack":
            raise OSError(state["errno"], os.strerror(state["errno"]))
        real(path, data)

    monkeypatch.setattr(checkpoint, "_write", write)
    return state
