"""When items and users go, lists that hold an item are rewritten, and keys are deleted."""

from __future__ import annotations

import pytest

from models.tables.id_table import IdTable
from serving.contract import decode_list
from tests.support.store.publication_world import TTL, World, keys


@pytest.mark.parametrize("gone", [{"removed": True, "available": False}, {"available": False}])
def test_a_removal_rewrites_every_list_that_holds_it(world: World, gone: dict[str, bool]) -> None:
    """Personal and popular lists are rewritten without it in the next round; other lists stay."""
    holders = [u for u in ("ann", "bob", "cem") if "m5" in world.list(u)]
    assert holders
    world.item("m5", **gone)
    written = keys(world.publish())
    assert not any("m5" in world.list(u) for u in ("ann", "bob", "cem"))
    assert "m5" not in [i.id for i in decode_list(world.store["cc:popular:movies"].value).items]
    assert {f"cc:rec:{{{u}}}:movies" for u in holders} <= written


def test_a_removed_items_key_is_deleted(world: World) -> None:
    """An unavailable item keeps its key, a removed one loses it."""
    world.item("m5", removed=True, available=False)
    world.item("m6", available=False)
    world.publish()
    assert "cc:item:movies:m5" not in world.store
    assert "cc:item:movies:m6" in world.store


def test_a_removed_items_key_does_not_come_back(world: World) -> None:
    """A removed item's key stays away after late events, a lost store and a restart, until an item event."""
    world.item("m5", removed=True, available=False)
    world.publish()
    world.event("bob", "m5")
    world.publish()
    assert "cc:item:movies:m5" not in world.store
    world.queue.publish_again()
    world.publish()
    assert "cc:item:movies:m5" not in world.store
    world.item("m5", removed=True, available=False)  # not confirmed when the process ends
    again = world.restarted()
    again.publish()
    assert "cc:item:movies:m5" not in again.store
    again.item("m5")
    again.publish()
    assert "cc:item:movies:m5" in again.store


def test_lists_are_found_after_a_restart(world: World) -> None:
    """Which lists hold an item is part of the state."""
    holders = [u for u in ("ann", "bob", "cem") if "m5" in world.list(u)]
    again = world.restarted()
    again.publish()
    again.item("m5", removed=True, available=False)
    again.publish()
    assert holders
    assert not any("m5" in again.list(u) for u in holders)


def test_removed_and_back_before_publishing(world: World) -> None:
    """The last item event counts."""
    world.item("m5", removed=True, available=False)
    world.item("m5")
    world.publish()
    assert "cc:item:movies:m5" in world.store


def test_an_evicted_items_key_is_deleted() -> None:
    """An evicted item's key is deleted, unless the item came back before the round."""
    world = World(items=2)
    for n in range(3):
        world.item(f"m{n}")
    world.publish()
    assert sorted(k for k in world.store if ":item:" in k) == ["cc:item:movies:m1", "cc:item:movies:m2"]
    world.item("m3")  # evicts m1
    world.item("m1")  # evicts m2
    world.publish()
    assert sorted(k for k in world.store if ":item:" in k) == ["cc:item:movies:m1", "cc:item:movies:m3"]


def test_lists_with_evicted_items_are_rewritten() -> None:
    """All lists with an evicted item of the round are rewritten, and no others."""
    world = World(items=8, top=3)
    for domain, letter in (("movies", "m"), ("books", "b")):
        for n in range(8):
            world.item(f"{letter}{n}", domain)
    for n, user in enumerate(("ann", "bob", "cem")):
        world.event(user, f"m{n}")
        world.event(user, f"b{n}", "books")
    world.publish()
    before = {(user, d): world.list(user, d) for user in ("ann", "bob", "cem") for d in ("movies", "books")}
    for n in range(3):
        world.item(f"m{8 + n}")
        world.item(f"b{8 + n}", "books")
    gone = {item for _, item, _ in world.arms.full.rows.evicted}
    assert len(gone) == 6
    assert any(gone & set(held) for held in before.values())
    written = {write.key for write in world.publish() if ":rec:" in write.key}
    assert written == {f"cc:rec:{{{u}}}:{d}" for (u, d), held in before.items() if gone & set(held)}


def test_nobody_is_looked_through_for_those_who_hold_an_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users of sold-out and evicted items, and of expiring lists, are found by their rows."""
    world = World(items=8, top=3)
    for n in range(8):
        world.item(f"m{n}")
    for n in range(40):
        world.event(f"u{n}", f"m{n % 2}")
    world.publish()
    looked = []
    for name in ("__iter__", "items"):
        real = getattr(IdTable, name)
        monkeypatch.setattr(IdTable, name, lambda table, real=real: looked.append(table) or real(table))
    held = {item for n in range(40) for item in world.list(f"u{n}")}
    for item in sorted(held):
        world.item(item, available=False)
    assert world.queue.backlog()
    for n in range(8, 12):
        world.item(f"m{n}")
    world.now += TTL / 2 + 1
    world.publish()
    assert not held & {item for n in range(40) for item in world.list(f"u{n}")}
    assert all(world.list(f"u{n}") for n in range(40))
    assert world.arms.full.users not in looked


def test_a_list_that_waits_for_a_sold_out_item_waits_after_a_restart(world: World) -> None:
    """Lists with a sold-out or evicted item that were not rewritten yet are due after a restart."""
    holders = [u for u in ("ann", "bob", "cem") if "m5" in world.list(u)]
    assert holders
    world.item("m5", available=False)
    again = world.restarted()
    written = keys(again.publish())
    assert not any("m5" in again.list(u) for u in ("ann", "bob", "cem"))
    assert {f"cc:rec:{{{u}}}:movies" for u in holders} <= written


def test_sold_out_items_and_events_take_turns() -> None:
    """Lists with sold-out items do not wait behind all other users' lists."""
    world = World(users=200, items=20, top=3)
    for n in range(20):
        world.item(f"m{n}")
    for n in range(200):
        world.event(f"u{n}", f"m{n % 3}")
    while world.queue.backlog():
        world.publish()
    gone = world.list("u7")[0]
    for n in range(100, 200):
        world.event(f"u{n}", "m3")
    world.item(gone, available=False)
    rounds = 0
    while any(gone in world.list(f"u{n}") for n in range(100)):
        world.publish(spare=False)
        rounds += 1
    assert rounds <= 1 + 200 // 16


def test_an_evicted_user_is_not_written() -> None:
    """A user who lost the row before the round has nothing to publish."""
    world = World(users=64)
    for n in range(70):
        world.event(f"u{n}", "m0")
    written = keys(world.publish())
    assert "cc:user:{u0}" not in written
    assert "cc:user:{u69}" in written
