"""A small simulated world in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.learners.pretrained import make_world


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A world of 100 events."""
    return make_world(tmp_path, 100)
