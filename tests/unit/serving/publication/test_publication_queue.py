"""The publication queue knows which writes are due, with real learners."""

from __future__ import annotations

import numpy as np

from models.state.merging import merged
from models.state.snapshot import snapshot
from models.state.tracked_tables import full_state
from serving.contract import Write
from tests.support.learners.states import decoded, differences
from tests.support.store.publication_world import TTL, World, keys

# The records


# DirtyKeys users


def test_touched_users_and_items_are_written(world: World) -> None:
    """An event makes its user, the user's lists and its item due, nobody else's."""
    world.event("bob", "m5")
    written = keys(world.publish())
    assert written == {"cc:user:{bob}", "cc:rec:{bob}:movies", "cc:rec:{bob}:books", "cc:item:movies:m5"}
    assert "m5" not in world.list("bob")


def test_nothing_happened_nothing_written(world: World) -> None:
    """A quiet stream publishes nothing, also after the slow interval."""
    assert world.publish() == []
    world.now += 60
    assert world.publish() == []
    assert world.queue.backlog() == 0


def test_births_are_handed_on(world: World) -> None:
    """The write of a user carries the record times of all events it makes readable, each once."""
    world.event("bob", "m5", born=11)
    world.event("bob", "b1", "books", born=12)
    world.event("cem", "m5", born=13)
    born = {w.key: (w.record_times_ms, w.domains) for w in world.publish() if w.record_times_ms}
    assert born == {"cc:user:{bob}": ((11, 12), ("movies", "books")), "cc:user:{cem}": ((13,), ("movies",))}
    world.event("bob", "m6", born=14)
    assert [w.record_times_ms for w in world.publish() if w.record_times_ms] == [(14,)]


def test_without_time_to_spare_lists_come_in_turns() -> None:
    """Vectors are always written; lists some at a time, of those who did something last first, until none is left."""
    world = World()
    for n in range(60):
        world.event(f"u{n}", f"m{n % 7}")
    first = world.publish(spare=False)
    lists = {w.key for w in first if w.key.startswith("cc:rec:")}
    assert {f"cc:user:{{u{n}}}" for n in range(60)} <= keys(first)
    assert "cc:rec:{u59}:movies" in lists
    assert "cc:rec:{u0}:movies" not in world.store
    assert world.queue.backlog() > 0
    while world.queue.backlog():
        assert world.publish(spare=False)
    assert all(f"cc:rec:{{u{n}}}:movies" in world.store for n in range(60))


def test_slow_records_are_written_now_and_then(world: World) -> None:
    """Domains, popular lists and meta follow within seconds, not with every event."""
    world.event("bob", "m5")
    assert "cc:meta" not in keys(world.publish())
    world.now += 2.0
    assert {"cc:meta", "cc:domain:books", "cc:popular:movies"} <= keys(world.publish())


def test_an_empty_list_deletes_its_key() -> None:
    """A user who has had everything has no list."""
    world = World()
    world.item("m0")
    world.item("m1")
    world.event("ann", "m0")
    world.publish()
    assert world.list("ann") == ["m1"]
    world.event("ann", "m1")
    assert Write("cc:rec:{ann}:movies", "delete", None) in world.publish()


# Removals


# Losses and expiry


def test_everything_is_due_after_a_loss(world: World) -> None:
    """One round after the store was emptied it holds what it held before."""
    before = dict(world.store)
    world.store.clear()
    world.queue.publish_again()
    world.publish()
    assert set(world.store) == set(before)


def test_meta_comes_first(world: World) -> None:
    """`cc:meta` comes first, so that a store which is emptied during the other writes is noticed."""
    world.queue.publish_again()
    assert world.publish()[0].key == "cc:meta"
    assert world.restarted().publish()[0].key == "cc:meta"
    world.event("ann", "m3")
    assert world.publish()[0].key != "cc:meta"


def test_lists_are_rewritten_before_they_expire(world: World) -> None:
    """Lists and vectors of resident users are renewed in the second half of their life, also in a quiet stream."""
    world.now += TTL / 2 - 1
    assert world.publish() == []
    world.now += 2
    written = keys(world.publish())
    world.now += 3
    written |= keys(world.publish())
    for user in ("ann", "bob", "cem"):
        assert {f"cc:rec:{{{user}}}:movies", f"cc:user:{{{user}}}"} <= written
    world.publish()
    world.now += TTL / 2 - 10
    assert not any(":rec:" in k for k in keys(world.publish()))  # renewed only once


# State


def test_unconfirmed_keys_are_published_first_on_start(world: World) -> None:
    """Keys that the store has not acknowledged come back as their items, and their users who still have a row."""
    world.event("b}ob", "m5")
    state = full_state(
        world.queue.live(
            [
                "cc:user:{ann}",
                "cc:rec:{b}ob}:books",
                "cc:rec:{cem}:movies",
                "cc:user:{left}",
                "cc:item:movies:m:1",
                "cc:meta",
                "cc:domain:books",
            ]
        )
    )
    assert state["users"] == ["ann", "b}ob", "cem"]
    assert ["movies", "m:1"] in state["items"]


def test_what_was_due_is_due_after_a_restart(world: World) -> None:
    """Users, lists and items that were not collected yet are written by the next process."""
    world.event("bob", "m5")
    again = world.restarted()
    written = keys(again.publish())
    assert {"cc:user:{bob}", "cc:rec:{bob}:movies", "cc:item:movies:m5", "cc:meta"} <= written
    assert "cc:user:{ann}" not in written


def test_state_round_trips(world: World) -> None:
    """A state that is loaded and taken again is the same."""
    world.event("bob", "m5")
    world.item("m6", removed=True, available=False)
    again = world.restarted()
    one, two = full_state(world.queue.live([])), full_state(again.queue.live([]))
    assert (one["users"], one["items"]) == (two["users"], two["items"])
    for name, rows in one["on_lists"].items():
        assert np.array_equal(rows, two["on_lists"][name])
    assert np.array_equal(one["written_at"], two["written_at"])


def test_what_forgetting_clears_is_in_the_next_increment(world: World) -> None:
    """The next increment clears the forgotten user's lists and their times."""
    before = decoded(snapshot(world.queue.live([])))
    row = world.arms.forget_user("ann")
    assert row is not None
    assert before["on_lists"]["movies"][row].any()
    world.queue.forget_user("ann", row)
    after = merged(before, [decoded(snapshot(world.queue.live([]), increment=True))])
    assert not after["on_lists"]["movies"][row].any()
    assert differences(decoded(snapshot(full_state(world.queue.live([])))), after) == []


def test_a_domain_may_be_kept_to_itself(world: World) -> None:
    """With `recommend = false` items and the domain are published, but no list."""
    assert not any(k.startswith(("cc:rec:", "cc:popular:")) and k.endswith("notes") for k in world.store)
    assert "cc:item:notes:n0" in world.store
