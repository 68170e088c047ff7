"""Shards of a test, which share one list of facts and one clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.clock import Clock
from tests.unit.consumers.sharing.test_shard import Shard


@pytest.fixture
def records() -> list[bytes]:
    return []


@pytest.fixture
def make(records: list[bytes]) -> Callable[[int], Shard]:
    clock = Clock()
    return lambda index: Shard(index, records, clock)
