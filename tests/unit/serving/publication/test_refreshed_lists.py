"""A new item reaches the list of a user who does nothing within `publish.refresh_seconds`."""

from __future__ import annotations

import pytest

from serving.publication.publication_queue import REFRESH_USERS, SLOW_SECONDS
from tests.support.store.publication_world import World

REFRESH = 300.0


@pytest.mark.parametrize("users", [1, 40])
def test_a_new_item_reaches_quiet_users_in_time(users: int) -> None:
    """Nobody but the producer of items does anything, and every list has it before the time is over."""
    world = World(refresh_seconds=REFRESH, ttl_seconds=100_000)
    for n in range(users):
        world.event(f"u{n}", f"m{n % 3}")
    world.publish()
    world.item("new")
    world.publish()
    begun = world.now
    assert not [n for n in range(users) if "new" in world.list(f"u{n}")]
    while world.now < begun + REFRESH:
        world.now += SLOW_SECONDS
        world.publish()
    assert all("new" in world.list(f"u{n}") for n in range(users))


def test_many_users_have_their_turn_in_time() -> None:
    """With more users than the usual number a round: as many a round as it takes."""
    users = 3 * REFRESH_USERS
    world = World(users=users, refresh_seconds=4 * SLOW_SECONDS, ttl_seconds=100_000)
    for n in range(users):
        world.event(f"u{n}", f"m{n % 3}")
    while world.queue.lists():
        world.publish()
    world.item("new")
    end = world.now + 4 * SLOW_SECONDS
    while world.now < end:
        world.now += SLOW_SECONDS
        world.publish()
    assert all("new" in world.list(f"u{n}") for n in range(users))


def test_lists_are_left_alone_before() -> None:
    """A refresh costs a list: nobody's is made again in the first half of the time."""
    world = World(refresh_seconds=REFRESH, ttl_seconds=100_000)
    world.event("ann", "m0")
    world.publish()
    world.now += REFRESH / 2
    assert "cc:rec:{ann}:movies" not in {write.key for write in world.publish()}
