"""Each published record has the fields of the contract."""

from __future__ import annotations

import json

import numpy as np

from models.arms.arm_comparison import ArmComparison
from models.schema import Interaction
from models.settings import LearningSettings
from serving.contract import FIELDS, Keys
from serving.publication.publication_queue import PublicationQueue
from serving.store.store_mark import FIELD
from tests.support.store.publication_world import DOMAINS, START, TTL, World


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
    world.arms = ArmComparison(DOMAINS, LearningSettings(users=64, items_per_domain=60))
    world.queue = PublicationQueue(world.arms, Keys("cc"), lambda: world.now)
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
        world.queue.event(event.user, domain, event.item, START + n)
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
    """A list has `top` items, best first, the first `explain_top` with parts that add up, and an expiry."""
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
    """A user has the vector as float32 bytes, and the events of each domain as decimal text."""
    fields = world.store["cc:user:{ann}"].value
    assert len(fields["vector"]) == 4 * int(fields["dim"])
    assert (fields["events:movies"], fields["events:books"]) == ("2", "1")
    assert fields["published_ts"] == str(START)
    assert "events:notes" not in fields


def test_item_record(world: World) -> None:
    """An item has every field of the contract, in the users' space, without an expiry."""
    write = world.store["cc:item:movies:m1"]
    assert set(write.value) == {"vector", "dim", "title", "bias", "popularity", "model"}
    assert (write.value["title"], write.ttl_seconds) == ("M1", None)
    assert write.value["dim"] == world.store["cc:user:{ann}"].value["dim"]


def test_domain_and_meta_records(world: World) -> None:
    """A domain has role, mean and times; a target also has its adaptation rate and divergences."""
    books, meta = world.store["cc:domain:books"].value, world.store["cc:meta"].value
    assert {"role", "mean", "model", "published_ts", "adaptation_rate", "divergence:movies"} <= set(books)
    assert (books["role"], books["mean"]) == ("target", "3")
    assert "adaptation_rate" not in world.store["cc:domain:movies"].value
    assert set(meta) == {"schema", "dim", "model", "started_ts", "published_ts"}
    assert meta["started_ts"] == str(START)
