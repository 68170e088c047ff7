"""What is due to be written, with real learners and a list that collects the writes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest

from models.arm_comparison import Arms
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from models.state.merging import merged
from models.state.snapshot import Snapshot, joined, snapshot
from models.tables.id_table import IdTable
from serving.contract import FIELDS, Keys, Write, decode_list
from serving.publication.publication_queue import Outbox
from serving.publication.record_builder import ListOptions
from serving.store.store_mark import FIELD
from tests.support.states import differences

START = 1_700_000_000_000
TTL = 1000

DOMAINS = [Domain("movies"), Domain("books", "target"), Domain("notes", recommend=False)]


class World:
    """Arms, an outbox on them, a clock, and what the store would hold."""

    def __init__(
        self, users: int = 64, items: int = 60, domains: list[Domain] = DOMAINS, top: int = 5
    ) -> None:
        self.now = START / 1000
        self.arms = Arms(domains, LearningSettings(users=users, items_per_domain=items, compare=False))
        self.outbox = Outbox(self.arms, Keys("cc"), lambda: self.now, ListOptions(top, 2, TTL), START)
        self.store: dict[str, Write] = {}

    def item(self, name: str, domain: str = "movies", **fields: Any) -> None:
        item = Item(domain, name, title=name.upper(), **fields)
        self.arms.put_item(item)
        self.outbox.item(domain, name, item.removed, item.available)

    def event(self, user: str, item: str, domain: str = "movies", born: int = START) -> None:
        self.arms.learn([Interaction(domain, "click", user, item, START)])
        self.outbox.event(user, domain, item, born)

    def publish(self, spare: bool = True) -> list[Write]:
        """One round, as the pipeline does it."""
        evicted, self.arms.full.rows.evicted = self.arms.full.rows.evicted, []
        self.outbox.items_evicted(evicted)
        writes = list(self.outbox.collect(lambda: spare))
        for write in writes:
            if write.kind == "delete":
                self.store.pop(write.key, None)
            else:
                self.store[write.key] = write
        return writes

    def list(self, user: str, domain: str = "movies") -> list[str]:
        write = self.store.get(f"cc:rec:{{{user}}}:{domain}")
        return [] if write is None else [i.id for i in decode_list(write.value).items]

    def restarted(self) -> World:
        """A new process with the old one's state; the store as it is."""
        state = decoded(snapshot({"arms": self.arms.state(), "outbox": self.outbox.state([])}))
        other = World()
        other.arms.load(state["arms"])
        other.outbox.load(state["outbox"])
        other.store, other.now = self.store, self.now
        return other


@pytest.fixture
def world() -> World:
    """Eight movies, four books, one note, three users."""
    made = World()
    for n in range(8):
        made.item(f"m{n}")
    for n in range(4):
        made.item(f"b{n}", "books")
    made.item("n0", "notes")
    for user, item in (("ann", "m0"), ("bob", "m1"), ("cem", "m2"), ("ann", "m1")):
        made.event(user, item)
    made.event("ann", "b0", "books")
    made.publish()
    return made


def keys(writes: list[Write]) -> set[str]:
    return {w.key for w in writes}


# The records


def test_everything_of_the_contract_is_there(world: World) -> None:
    """Lists, users, items, domains, popular lists and meta, under the names of the contract."""
    lists = {f"cc:rec:{{{u}}}:{d}" for u in ("ann", "bob", "cem") for d in ("movies", "books")}
    users = {f"cc:user:{{{u}}}" for u in ("ann", "bob", "cem")}
    items = {f"cc:item:movies:m{n}" for n in range(8)} | {f"cc:item:books:b{n}" for n in range(4)}
    rest = {"cc:domain:movies", "cc:domain:books", "cc:domain:notes", "cc:popular:movies", "cc:popular:books"}
    assert set(world.store) == lists | users | items | rest | {"cc:item:notes:n0", "cc:meta"}


def test_the_fields_are_those_of_the_contract() -> None:
    """Every field of every hash is documented, and every documented one is written, in a world where all is known."""
    world = World()
    world.arms = Arms(DOMAINS, LearningSettings(users=64, items_per_domain=60))
    world.outbox = Outbox(world.arms, Keys("cc"), lambda: world.now)
    for n in range(20):
        world.item(f"m{n}")
        world.item(f"b{n}", "books")
    vectors = np.random.default_rng(0).standard_normal((40, 70)).astype(np.float32)
    names = [("movies", f"m{n}") for n in range(20)] + [("books", f"b{n}") for n in range(20)]
    world.arms.put_text_vectors(dict(zip(names, vectors, strict=True)), idle=True)
    for n in range(300):
        domain = ("movies", "books")[n % 2]
        event = Interaction(
            domain, "rating", f"u{n % 17}", f"{domain[0]}{n % 20}", START + n, float(1 + n % 5)
        )
        world.arms.learn([event])
        world.outbox.event(event.user, domain, event.item, START + n)
        if n % 32 == 31:
            world.arms.end_batch()
    found: dict[str, set[str]] = {}
    for write in world.publish():
        if write.kind == "hash":
            fields = {name.partition(":")[0] for name in write.value}
            found.setdefault(write.key.split(":")[1], set()).update(fields)
    told = {kind: {name.partition(":")[0] for name in fields} for kind, fields in FIELDS.items()}
    told["meta"].remove(FIELD)  # by the store's writer
    del told["canary"]  # by the canaries
    assert found == told


def test_list_record(world: World) -> None:
    """Best first, `top` of them, the first `explain_top` explained, contributions adding up, with an expiry."""
    write = world.store["cc:rec:{cem}:movies"]
    assert (write.kind, write.ttl_seconds) == ("set", TTL)
    raw = json.loads(write.value)
    assert set(raw) == {"v", "model", "event_ts", "published_ts", "items"}
    assert (raw["v"], raw["event_ts"], raw["published_ts"]) == (1, START, START)
    assert len(raw["items"]) == 5
    assert ["why" in item for item in raw["items"]] == [True, True, False, False, False]
    assert [i["score"] for i in raw["items"]] == sorted((i["score"] for i in raw["items"]), reverse=True)
    for item in raw["items"][:2]:
        assert abs(sum(item["why"].values()) - item["score"]) < 1e-5


def test_user_record(world: World) -> None:
    """The vector as float32 bytes, and the events of each domain as decimal text."""
    fields = world.store["cc:user:{ann}"].value
    assert len(fields["vector"]) == 4 * int(fields["dim"])
    assert (fields["events:movies"], fields["events:books"]) == ("2", "1")
    assert fields["published_ts"] == str(START)
    assert "events:notes" not in fields


def test_item_record(world: World) -> None:
    """Every field of the contract, in the users' space, without an expiry."""
    write = world.store["cc:item:movies:m1"]
    assert set(write.value) == {"vector", "dim", "title", "bias", "popularity", "model"}
    assert (write.value["title"], write.ttl_seconds) == ("M1", None)
    assert write.value["dim"] == world.store["cc:user:{ann}"].value["dim"]


def test_domain_and_meta_records(world: World) -> None:
    """Role, mean and times; a target also has its adaptation rate and divergences."""
    books, meta = world.store["cc:domain:books"].value, world.store["cc:meta"].value
    assert {"role", "mean", "model", "published_ts", "adaptation_rate", "divergence:movies"} <= set(books)
    assert (books["role"], books["mean"]) == ("target", "3")
    assert "adaptation_rate" not in world.store["cc:domain:movies"].value
    assert set(meta) == {"schema", "dim", "model", "started_ts", "published_ts"}
    assert meta["started_ts"] == str(START)


# Touched users


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
    assert world.outbox.backlog() == 0


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
    assert world.outbox.backlog() > 0
    while world.outbox.backlog():
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


@pytest.mark.parametrize("gone", [{"removed": True, "available": False}, {"available": False}])
def test_a_removal_rewrites_every_list_that_holds_it(world: World, gone: dict[str, bool]) -> None:
    """Personal and popular lists are without it in the next round, untouched lists stay as they are."""
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
    """Late events on it, a lost store, a restart: the key stays away, until an item event brings it back."""
    world.item("m5", removed=True, available=False)
    world.publish()
    world.event("bob", "m5")
    world.publish()
    assert "cc:item:movies:m5" not in world.store
    world.outbox.publish_again()
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
    """Its row is someone else's; unless it came back before the round."""
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
    """Those of every domain and item of the round, and no others: the others hold no other item's row."""
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
    """Items that are sold out, that are evicted, and lists that will expire: their users are found by their rows."""
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
    assert world.outbox.backlog()
    for n in range(8, 12):
        world.item(f"m{n}")
    world.now += TTL / 2 + 1
    world.publish()
    assert not held & {item for n in range(40) for item in world.list(f"u{n}")}
    assert all(world.list(f"u{n}") for n in range(40))
    assert world.arms.full.users not in looked


def test_a_list_that_waits_for_a_sold_out_item_waits_after_a_restart(world: World) -> None:
    """Sold out, or its row another item's, and not rewritten yet: the lists that hold it are due in the next life."""
    holders = [u for u in ("ann", "bob", "cem") if "m5" in world.list(u)]
    assert holders
    world.item("m5", available=False)
    again = world.restarted()
    written = keys(again.publish())
    assert not any("m5" in again.list(u) for u in ("ann", "bob", "cem"))
    assert {f"cc:rec:{{{u}}}:movies" for u in holders} <= written


def test_sold_out_items_and_events_take_turns() -> None:
    """However many users wait for their lists, those who hold what is sold out do not wait behind all of them."""
    world = World(users=200, items=20, top=3)
    for n in range(20):
        world.item(f"m{n}")
    for n in range(200):
        world.event(f"u{n}", f"m{n % 3}")
    while world.outbox.backlog():
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


# Losses and expiry


def test_everything_is_due_after_a_loss(world: World) -> None:
    """The store was emptied: one round later it holds what it held before."""
    before = dict(world.store)
    world.store.clear()
    world.outbox.publish_again()
    world.publish()
    assert set(world.store) == set(before)


def test_meta_comes_first(world: World) -> None:
    """At a start and after a loss: a store emptied while the rest is on its way has no `cc:meta`, and is noticed."""
    world.outbox.publish_again()
    assert world.publish()[0].key == "cc:meta"
    assert world.restarted().publish()[0].key == "cc:meta"
    world.event("ann", "m3")
    assert world.publish()[0].key != "cc:meta"


def test_lists_are_rewritten_before_they_expire(world: World) -> None:
    """In a quiet stream too: lists and vectors of resident users are renewed in the second half of their life."""
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
    state = world.outbox.state(
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
    """Loaded and taken again it is the same."""
    world.event("bob", "m5")
    world.item("m6", removed=True, available=False)
    again = world.restarted()
    one, two = world.outbox.state([]), again.outbox.state([])
    assert (one["users"], one["items"]) == (two["users"], two["items"])
    for name, rows in one["on_lists"].items():
        assert np.array_equal(rows, two["on_lists"][name])
    assert np.array_equal(one["written_at"], two["written_at"])


def test_what_forgetting_clears_is_in_the_next_increment(world: World) -> None:
    """What is on the user's lists, and when these were written."""
    before = decoded(snapshot(world.outbox.live([])))
    row = world.arms.forget_user("ann")
    assert row is not None
    assert before["on_lists"]["movies"][row].any()
    world.outbox.forget_user("ann", row)
    after = merged(before, [decoded(snapshot(world.outbox.live([]), increment=True))])
    assert not after["on_lists"]["movies"][row].any()
    assert differences(decoded(snapshot(world.outbox.state([]))), after) == []


def decoded(taken: Snapshot) -> dict[str, Any]:
    state: dict[str, Any] = joined(msgspec.msgpack.decode(taken.body), taken.tensors)
    return state


def test_a_domain_may_be_kept_to_itself(world: World) -> None:
    """With `recommend = false` there is neither a list nor a popular list, but items and the domain."""
    assert not any(k.startswith(("cc:rec:", "cc:popular:")) and k.endswith("notes") for k in world.store)
    assert "cc:item:notes:n0" in world.store
