"""Provide a disk that can be full."""

from __future__ import annotations

import pytest

from tests.support.learners.checkpointers import Disk


@pytest.fixture
def disk() -> Disk:
    return Disk()
