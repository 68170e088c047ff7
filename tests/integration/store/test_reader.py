"""On a real store the reader falls back personal → popular → empty, tells the age, and raises one error."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis

from consumers.demo.embedded_servers import Server
from serving.client import ListedItem, Reader, Unreachable
from tests.support.store.reading import KEYS, listing


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as made:
        yield made


@pytest.fixture
def reader(redis_url: str) -> Reader:
    return Reader(redis_url)


def ids(reader: Reader, user: str = "alice", k: int = 10) -> tuple[str, list[str]]:
    found = reader.recommend(user, "books", k)
    return found.origin, [item.id for item in found.items]


def test_personal_then_popular_then_empty(reader: Reader, client: redis.Redis) -> None:
    """Each level falls back to the next, and says which it was."""
    assert ids(reader) == ("empty", [])
    client.set(KEYS.popular("books"), listing("p1", "p2"))
    assert ids(reader) == ("popular", ["p1", "p2"])
    client.set(KEYS.recommendations("alice", "books"), listing("a1", "a2"))
    assert ids(reader) == ("personal", ["a1", "a2"])
    assert ids(reader, "bob") == ("popular", ["p1", "p2"])
    client.delete(KEYS.recommendations("alice", "books"), KEYS.popular("books"))
    assert ids(reader) == ("empty", [])


def test_fields(reader: Reader, client: redis.Redis) -> None:
    """Score, explanation, model, age and time come with the list; an empty one has none of them."""
    written = listing("a1", age=90)
    client.set(KEYS.recommendations("alice", "books"), written)
    found = reader.recommend("alice", "books")
    assert found.published_ts == json.loads(written)["published_ts"]
    assert found.items[0] == ListedItem("a1", 1.0, {"text": 1.0})
    assert found.model == 7
    assert found.age_seconds is not None
    assert 90 <= found.age_seconds < 90 + 60
    nothing = reader.recommend("alice", "games")
    assert (nothing.age_seconds, nothing.model, nothing.published_ts) == (None, None, None)


def test_age_is_never_negative(reader: Reader, client: redis.Redis) -> None:
    """A writer's clock that runs ahead gives an age of 0."""
    client.set(KEYS.recommendations("alice", "books"), listing("a1", age=-100))
    assert reader.recommend("alice", "books").age_seconds == 0.0


def test_k(reader: Reader, client: redis.Redis) -> None:
    """The reader returns at most k items, best first."""
    client.set(KEYS.recommendations("alice", "books"), listing(*[f"a{n}" for n in range(50)]))
    assert ids(reader, k=3) == ("personal", ["a0", "a1", "a2"])
    assert len(ids(reader, k=500)[1]) == 50


@pytest.mark.parametrize(
    "damaged",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"v":1}', listing("a1")[:-5],
        listing("a\xff").replace(b"\\u00ff", b"\xff"), listing("a1", items=3), listing("a1", model="x"), listing(),
    ],
    ids=[
        "empty", "cut_at_once", "array", "null", "not_utf8", "few_fields", "cut", "one_bad_byte", "items_a_number",
        "model_a_word", "no_items",
    ],
)  # fmt: skip
def test_a_damaged_list_falls_back(reader: Reader, client: redis.Redis, damaged: bytes) -> None:
    """If the key holds something else than a list, the next level answers, and nothing is raised."""
    client.set(KEYS.popular("books"), listing("p1"))
    client.set(KEYS.recommendations("alice", "books"), damaged)
    assert ids(reader) == ("popular", ["p1"])
    client.set(KEYS.popular("books"), damaged)
    assert ids(reader) == ("empty", [])


def test_a_key_of_another_type_falls_back(reader: Reader, client: redis.Redis) -> None:
    """A foreign hash under our key raises nothing."""
    client.hset(KEYS.recommendations("alice", "books"), "a", "b")
    client.set(KEYS.popular("books"), listing("p1"))
    assert ids(reader) == ("popular", ["p1"])


def test_unknown_fields_are_ignored(reader: Reader, client: redis.Redis) -> None:
    """A newer writer may add fields to the list and to its items."""
    items = [{"id": "a1", "score": 1, "why": {}, "price": 3}, {"id": "a2", "score": 0.5}]
    client.set(KEYS.recommendations("alice", "books"), listing("x", items=items, v=2, trace={"a": 1}))
    assert ids(reader) == ("personal", ["a1", "a2"])


@pytest.mark.parametrize("user", ["a b", "ü😀", "{x}:y", "a}", "*", ""])
def test_any_user(reader: Reader, client: redis.Redis, user: str) -> None:
    """Users with any characters have lists of their own."""
    client.set(KEYS.recommendations(user, "books"), listing("mine"))
    assert ids(reader, user) == ("personal", ["mine"])
    assert ids(reader, user + "x") == ("empty", [])


def test_prefix(redis_url: str, client: redis.Redis) -> None:
    """A reader sees its own prefix only."""
    client.set("shop:cc:rec:{alice}:books", listing("a1"))
    assert ids(Reader(redis_url, prefix="shop:cc")) == ("personal", ["a1"])
    assert ids(Reader(redis_url)) == ("empty", [])


def test_titles(reader: Reader, client: redis.Redis) -> None:
    """Titles by item, empty where unknown or damaged; no round trip for no items."""
    client.hset(KEYS.item("books", "b1"), "title", "Tïtle")
    client.hset(KEYS.item("books", "b2"), "title", b"\xff")
    assert reader.titles("books", ["b1", "b2", "b3"]) == {"b1": "Tïtle", "b2": "\ufffd", "b3": ""}
    assert reader.titles("books", []) == {}


def test_unreachable(own_store: Server) -> None:
    """Only an unreachable store raises, with its address; the same reader works once it is back."""
    reader = Reader(own_store.url, timeout=0.5)
    assert ids(reader) == ("empty", [])
    own_store.stop()
    with pytest.raises(Unreachable, match=str(own_store.port)):
        reader.recommend("alice", "books")
    with pytest.raises(Unreachable):
        reader.titles("books", ["b1"])
    own_store.start()
    assert ids(reader) == ("empty", [])


def test_an_unreachable_store_does_not_show_its_password() -> None:
    """The message names the address, not the secret."""
    with pytest.raises(Unreachable) as caught:
        Reader("redis://me:hunter2@127.0.0.1:1/0", timeout=0.2).recommend("alice", "books")
    assert "hunter2" not in str(caught.value)
