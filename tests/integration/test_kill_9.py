"""Kill the service a few times with -9; `make soak` does it fifty times."""

from __future__ import annotations

import pytest

from tests.support.service.killing import Storm
from tests.support.service.service_world import World

pytestmark = pytest.mark.timeout(400)  # several starts, on a machine that may be busy


def test_kill_9_loses_nothing_and_learns_nothing_twice(world: World) -> None:
    """Every event counts exactly once after kills in a checkpoint write, in a start and in a stop."""
    Storm(world, seed=1).run(3)
