"""kill -9 in the middle of things, a few times; `make soak` does it fifty times."""

from __future__ import annotations

import pytest

from tests.support.service.killing import Storm
from tests.support.service.service_world import World

pytestmark = pytest.mark.timeout(400)  # several starts, on a machine that may be busy


def test_kill_9_loses_nothing_and_learns_nothing_twice(world: World) -> None:
    """Killed inside a checkpoint write, while starting and while stopping: every event counts exactly once."""
    Storm(world, seed=1).run(3)
