"""Provide a network that several tests read."""

from __future__ import annotations

import pytest

from tests.support.learners.network_world import World


@pytest.fixture(scope="module")
def trained() -> World:
    """Return a network that has learned some events."""
    world = World()
    world.learn(150)
    return world
