"""A network that has learned something."""

import pytest

from tests.support.network_world import World


@pytest.fixture(scope="module")
def trained() -> World:
    world = World()
    world.learn(150)
    return world
