"""After the store lost writes, users and items are published again in order, some in each round."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from models.arms.arm_comparison import ArmComparison
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from serving.contract import Keys
from serving.publication.publication_queue import PublicationQueue
from serving.publication.record_builder import ListOptions
from serving.publication.republish import USERS_AT_ONCE, Republish
from tests.support.store.all_writes import all_writes

KEYS = Keys("cc")
START = 1_700_000_000_000


class World:
    """Return learners, a publication queue, and a store that takes all writes, with one mark a round."""

    def __init__(self, users: int, **settings: int) -> None:
        limits = {"users": max(64, users), "items_per_domain": 64} | settings
        self.arms = ArmComparison([Domain("movies")], LearningSettings(compare=False, **limits))  # type: ignore[arg-type]
        self.queue = PublicationQueue(self.arms, KEYS, lambda: START / 1000, ListOptions(3, 1, 1000), START)
        self.mark = 0
        for n in range(4):
            self.arms.put_item(Item("movies", f"m{n}", title=f"Title {n}"))
            self.queue.item("movies", f"m{n}", False, True)
        for n in range(users):
            self.event(f"u{n}")

    def event(self, user: str, item: str = "m0") -> None:
        self.arms.learn([Interaction("movies", "click", user, item, START)])
        self.queue.event(user, "movies", item, START)

    def round(self) -> list[str]:
        """Return the keys of one round, in order; the store acknowledges them."""
        keys = [write.key for write in all_writes(self.queue)]
        self.mark += 1
        self.queue.again.acknowledged(self.mark, keys)
        return keys

    def again(self) -> Iterator[list[str]]:
        while self.queue.again.active:
            yield self.round()


def users(keys: list[str]) -> list[str]:
    return [user for key in keys if ":user:" in key and (user := KEYS.owner(key)) is not None]


def test_only_what_the_store_may_lack() -> None:
    """Users with lists, and items, are due if the store does not have their mark; others are not."""
    world = World(8)
    world.round()
    known = world.mark
    world.event("u3", "m1")
    world.round()
    world.event("u5", "m2")
    world.round()
    assert world.round() == []
    world.queue.publish_again(known)
    written = [key for keys in world.again() for key in keys]
    assert {user for key in written if (user := KEYS.owner(key))} == {"u3", "u5"}
    assert {pair[1] for key in written if (pair := KEYS.item_of(key))} == {"m1", "m2"}
    assert {"cc:meta", "cc:domain:movies", "cc:popular:movies", "cc:rec:{u3}:movies"} <= set(written)


def test_a_process_that_did_not_write_it_publishes_everything() -> None:
    """With the mark 0, rows without a known write are due as well."""
    world = World(8)
    world.queue.publish_again()
    assert {user for keys in world.again() for user in users(keys)} == {f"u{n}" for n in range(8)}


def test_newest_first_and_not_all_at_once() -> None:
    """Users seen last come first; each round writes a bounded number; new events go before them."""
    count = 2 * USERS_AT_ONCE + 10
    world = World(count)
    world.round()
    world.event("u0")  # the oldest user has come back
    world.round()
    world.queue.publish_again()
    world.event("u7", "m1")
    rounds = [users(keys) for keys in world.again()]
    assert rounds[0][0] == "u7"
    order = list(dict.fromkeys(user for written in rounds for user in written))
    newest = ["u0", *(f"u{n}" for n in range(count - 1, 0, -1) if n != 7)]
    assert order == ["u7", *newest]
    assert max(map(len, rounds)) <= USERS_AT_ONCE + 1


def test_new_events_do_not_wait_for_the_old() -> None:
    """With little time for lists newer events are still written in their round, and the rest waits."""
    world = World(4 * USERS_AT_ONCE)
    world.round()
    world.queue.publish_again()
    taken = lists = 0
    for _ in range(20):
        world.event("u1")
        written = [write.key for write in all_writes(world.queue, spare=False)]
        assert "cc:rec:{u1}:movies" in written
        taken += len(users(written))
        lists += sum(":rec:" in key for key in written)
    assert taken <= lists + 2 * USERS_AT_ONCE + 20
    assert world.queue.again.active


def test_a_second_loss_on_the_way() -> None:
    """After a second, smaller loss everything left from the first one stays due."""
    world = World(2 * USERS_AT_ONCE)
    world.round()
    first = world.mark
    for n in range(2 * USERS_AT_ONCE):
        world.event(f"u{n}")
    world.round()
    world.queue.publish_again(first)
    done = set(users(world.round()))
    assert 0 < len(done) < 2 * USERS_AT_ONCE
    world.queue.publish_again(world.mark)
    done |= {user for keys in world.again() for user in users(keys)}
    assert len(done) == 2 * USERS_AT_ONCE


def test_a_round_looks_at_a_bounded_number() -> None:
    """If few of many rows are due, the search for them is spread over rounds."""
    world, looks = World(5 * USERS_AT_ONCE), 2 * USERS_AT_ONCE
    world.round()
    again = Republish(world.arms, KEYS, looks)
    again.acknowledged(5, [KEYS.user("u7"), KEYS.user("u1200")])
    again.begin(3)
    due, left = list[str](), [len(again)]
    while again.active:
        due += again.users()
        again.items()
        left.append(len(again))
        again.end_if_done()
    assert due == ["u1200", "u7"]
    assert max(before - after for before, after in pairwise(left)) <= looks + 64
    assert len(left) > 3
