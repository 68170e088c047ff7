"""Neighbours of items: when they are published, what they cost at most, and what may not stay on them."""

from __future__ import annotations

from models.state.tracked_tables import full_state
from serving.publication.neighbour_queue import AT_ONCE, STARVED_SECONDS
from tests.support.store.publication_world import World

EVERY = 60.0


def watched(users: int = 4, **options: object) -> World:
    """Return a world in which `users` users have had m0, m1 and m2."""
    world = World(**options)  # type: ignore[arg-type]
    for n in range(3):
        world.item(f"m{n}")
    for n in range(users):
        for k in range(3):
            world.event(f"u{n}", f"m{k}")
    return world


def test_a_new_item_has_neighbours_with_the_next_round() -> None:
    world = watched()
    world.publish()
    assert sorted(world.similar("m0") or []) == ["m1", "m2"]


def test_an_item_waits_before_it_is_looked_at_again() -> None:
    """However many events it has; other items do not wait for it."""
    world = watched()
    world.publish()
    for n in range(20):
        world.event(f"v{n}", "m0")
        world.event(f"v{n}", "m7")
        assert "cc:similar:movies:m0" not in {write.key for write in world.publish()}
    assert world.similar("m7") is not None
    assert "m7" not in (world.similar("m0") or [])
    world.now += EVERY
    world.publish()
    assert (world.similar("m0") or [])[0] == "m7"


def test_without_spare_time_one_item_has_its_turn_in_a_while() -> None:
    """Lists come first, but neighbours are not given up."""
    world = watched()
    found = []
    for _ in range(4):
        found += [write.key for write in world.publish(spare=False) if write.key.startswith("cc:similar:")]
    assert len(found) == 1
    world.now += STARVED_SECONDS
    world.publish(spare=False)
    assert len([key for key in world.store if key.startswith("cc:similar:")]) == 2


def test_a_round_looks_at_a_few_items() -> None:
    """A catalogue that comes all at once is spread over rounds."""
    world = World(items=200)
    for n in range(3 * AT_ONCE):
        world.event("ann", f"m{n:03}")
    counts = [len([w for w in world.publish() if w.key.startswith("cc:similar:")]) for _ in range(4)]
    assert counts == [AT_ONCE, AT_ONCE, AT_ONCE, 0]


def test_an_item_that_may_not_be_recommended_leaves_all_neighbours() -> None:
    """With the next round, without waiting. Its own neighbours stay while it exists."""
    world = watched()
    world.publish()
    world.item("m1", available=False)
    world.publish()
    assert world.similar("m0") == ["m2"]
    assert sorted(world.similar("m1") or []) == ["m0", "m2"]


def test_a_removed_item_has_no_neighbours() -> None:
    """Its key is deleted, and those that had it are written again."""
    world = watched()
    world.publish()
    world.item("m1", removed=True, available=False)
    world.publish()
    assert world.similar("m1") is None
    assert (world.similar("m0"), world.similar("m2")) == (["m2"], ["m0"])


def test_a_removed_item_that_was_due_has_no_neighbours() -> None:
    """Neither an earlier event, which made it due, nor a late one brings its key back."""
    world = watched()
    world.publish()
    world.event("ann", "m1")
    world.item("m1", removed=True, available=False)
    for _ in range(2):
        world.now += 61
        world.publish()
        assert world.similar("m1") is None
        world.event("bob", "m1")


def test_an_evicted_item_leaves_the_store() -> None:
    """Whoever takes over its row has neighbours of their own."""
    world = watched(items=4)
    world.publish()
    for n in range(4):
        world.event("new", f"n{n}")
        world.publish()
    world.publish()
    held = {key.split(":")[-1] for key in world.store if key.startswith("cc:similar:")}
    assert held <= {"n0", "n1", "n2", "n3"}
    for item in held:
        assert set(world.similar(item) or []) <= {"n0", "n1", "n2", "n3"}


def test_off() -> None:
    """With 0 neighbours nothing is written."""
    world = watched(similar=0)
    world.publish()
    assert not [key for key in world.store if key.startswith("cc:similar:")]


def test_at_most_so_many() -> None:
    world = watched(similar=1)
    world.publish()
    assert len(world.similar("m0") or []) == 1


def test_what_is_due_outlives_a_restart() -> None:
    """What waits is published after it; what holds a removed item is known, too."""
    world = watched()
    world.publish()
    world.event("v", "m0")
    world.event("v", "m7")
    again = world.restarted()
    again.now += EVERY
    again.publish()
    assert "m7" in (again.similar("m0") or [])
    again.item("m1", removed=True, available=False)
    again.publish()
    assert "m1" not in (again.similar("m0") or [])


def test_what_the_store_has_not_confirmed_is_written_again() -> None:
    """After a restart, without waiting."""
    world = watched()
    world.publish()
    state = full_state(world.queue.live(["cc:similar:movies:m0"]))
    other = watched()
    other.publish()
    other.store.clear()
    other.queue.load(state)
    other.publish()
    assert [key for key in other.store if key.startswith("cc:similar:")] == ["cc:similar:movies:m0"]


def test_an_earlier_state_has_no_neighbours() -> None:
    """It loads, and neighbours come with the next event."""
    world = watched()
    world.publish()
    state = full_state(world.queue.live([]))
    del state["neighbours"]
    other = watched()
    other.queue.load(state)
    other.publish()
    assert sorted(other.similar("m0") or []) == ["m1", "m2"]
