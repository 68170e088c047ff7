"""Redis, Valkey and Redis Cluster behave alike behind `Store`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import redis

from consumers.demo.embedded_servers import Server
from serving.contract import Keys, Write
from serving.store.errors import STORE_ERRORS, wrong_type
from serving.store.publisher import Listeners, Publisher
from serving.store.redis_store import open_store
from serving.store.store import Store
from tests.support.store.cluster import Node, empty, started_nodes

KINDS = ["redis", "valkey", "cluster"]
PATIENCE = 20.0
MANY = 2_500
"""Number of keys for a scan that takes several answers."""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, redis_store: object) -> Iterator[list[Node]]:
    del redis_store  # skips where there is no Redis
    with started_nodes(tmp_path_factory.mktemp("cluster")) as nodes:
        yield nodes


@pytest.fixture(params=KINDS)
def where(request: pytest.FixtureRequest) -> tuple[str, bool]:
    """Return the URL of an empty store, and whether it is a cluster's."""
    if request.param == "cluster":
        nodes = request.getfixturevalue("nodes")
        empty(nodes)
        return str(nodes[0].url), True
    url = str(request.getfixturevalue(f"{request.param}_store").url)
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url, False


@pytest.fixture
def store(where: tuple[str, bool]) -> Iterator[Store]:
    opened = open_store(where[0], 2.0, where[1])
    yield opened
    opened.close()


@pytest.fixture
def raw(where: tuple[str, bool]) -> Iterator[redis.Redis]:
    """Return a client that sees the store as any other program does."""
    kind = redis.RedisCluster if where[1] else redis.Redis
    with kind.from_url(where[0], legacy_responses=False) as client:
        yield client


def hash_of(key: str, **fields: object) -> Write:
    return Write(key, "hash", fields)


def test_it_answers(store: Store) -> None:
    store.ping()


def test_every_kind_of_write(store: Store, raw: redis.Redis) -> None:
    """Strings, hashes, expiries and deletions are carried out; bytes stay unchanged, numbers become text."""
    raw.set("old", b"1")
    writes = [
        Write("list", "set", b"[]", 50),
        Write("kept", "set", b"\xff"),
        Write("hash", "hash", {"vector": b"\x00\x01", "dim": 4, "bias": 0.1, "title": "ü"}, 60),
        Write("old", "delete", None),
        Write("never-was", "delete", None),
    ]
    assert store.write(writes).errors == [None] * len(writes)
    assert (raw.get("list"), raw.get("kept"), raw.get("old")) == (b"[]", b"\xff", None)
    held = {b"vector": b"\x00\x01", b"dim": b"4", b"bias": b"0.1", b"title": "ü".encode()}
    assert raw.hgetall("hash") == held
    assert 0 < raw.ttl("list") <= 50
    assert 0 < raw.ttl("hash") <= 60
    assert raw.ttl("kept") == -1


def test_nothing_to_do(store: Store) -> None:
    """Without writes, fields or keys the answer is empty."""
    assert store.write([]) == ([], [])
    assert store.delete([]) == 0
    assert list(store.scan("none:*")) == []


def test_writes_of_one_key_keep_their_order(store: Store, raw: redis.Redis) -> None:
    writes = [Write("a", "set", b"%d" % n) for n in range(50)]
    store.write([*writes, Write("b", "set", b"1"), Write("b", "delete", None)])
    assert (raw.get("a"), raw.get("b")) == (b"49", None)


def test_fields_are_read_before_anything_is_written(store: Store) -> None:
    """A field is read before a write in the same round trip changes it."""
    store.write([hash_of("a", n=1), hash_of("b", n=2)])
    looks = [("a", "n"), ("b", "n"), ("b", "other"), ("nowhere", "n")]
    answers = store.write([hash_of("a", n=3)], looks)
    assert answers.found == [b"1", b"2", None, None]
    assert store.write((), [("a", "n")]).found == [b"3"]


def test_a_fresh_hash_has_no_old_field(store: Store, raw: redis.Redis) -> None:
    store.write([hash_of("a", old=1)])
    store.write([hash_of("a", new=1)._replace(fresh=True)])
    assert raw.hgetall("a") == {b"new": b"1"}


def test_a_key_of_another_type(store: Store, raw: redis.Redis) -> None:
    """Reading and writing a key of another type fail alone; a fresh write replaces the key."""
    raw.rpush("a", "alien")
    answers = store.write([hash_of("a", n=1), hash_of("b", n=1)], [("a", "n"), ("b", "n")])
    found, errors = answers
    assert isinstance(found[0], Exception)
    assert wrong_type(found[0])
    assert found[1] is None
    assert wrong_type(errors[0])
    assert errors[1] is None
    assert store.write([hash_of("a", n=1)._replace(fresh=True)]).errors == [None]
    assert raw.hget("a", "n") == b"1"


@pytest.mark.parametrize(
    "bad",
    [
        Write("bad", "set", None),
        Write("bad", "set", {"a": 1}),
        Write("bad", "set", True),
        Write("bad", "hash", {}),
        Write("bad", "hash", {"n": None}, fresh=True),
        Write("bad", "hash", {"good": 1, "n": [1]}),
    ],
    ids=["none", "mapping", "bool", "no-fields", "fresh-none", "list-field"],
)
def test_a_write_that_cannot_be_encoded(store: Store, raw: redis.Redis, bad: Write) -> None:
    """Such a write is not sent, not even in part; the others of the same round trip are."""
    raw.set("bad", b"before")
    errors = store.write([Write("a", "set", b"1"), bad, Write("b", "set", b"2")]).errors
    assert [type(error) for error in errors] == [type(None), redis.DataError, type(None)]
    assert (raw.get("a"), raw.get("bad"), raw.get("b")) == (b"1", b"before", b"2")


def test_delete_counts_what_was_there(store: Store, raw: redis.Redis) -> None:
    store.write([Write(f"k{n}", "set", b"1") for n in range(20)])
    assert store.delete(f"k{n}" for n in range(15, 30)) == 5
    assert sum(raw.exists(f"k{n}") for n in range(30)) == 15


def test_scan_finds_every_key_of_its_pattern(store: Store) -> None:
    """A scan takes several answers. Glob characters in a prefix are literal, and bytes need not be UTF-8."""
    keys, other = Keys("c*[a]"), Keys("c**[a]")
    mine = {keys.user(f"u{n}") for n in range(MANY)} | {keys.user("\udcff")}
    writes = [Write(key.encode(errors="surrogateescape"), "set", b"1") for key in mine]  # type: ignore[arg-type]
    store.write([*writes, Write(other.user("u1"), "set", b"1"), Write(keys.item("d", "i"), "set", b"1")])
    assert set(store.scan(keys.pattern("user:*"))) == mine


def test_parts(store: Store, where: tuple[str, bool]) -> None:
    """Every key is in one part; a part's tag names a key that lies in it."""
    parts = store.parts()
    assert len(parts) == len(set(parts)) == (3 if where[1] else 1)
    assert {store.part_of(f"k{n}") for n in range(200)} == set(parts)
    assert [store.part_of(f"m:{{{tag}}}") for tag in parts] == parts


def test_servers(store: Store, where: tuple[str, bool]) -> None:
    """Each primary is listed with its own name; none is a replica, and none evicts keys."""
    found = store.servers()
    assert len({server.run_id for server in found}) == len(found) == (3 if where[1] else 1)
    assert {server.mode for server in found} == {"cluster" if where[1] else "standalone"}
    assert {(server.policy, server.evicted, server.replica_of) for server in found} == {
        ("noeviction", 0, None)
    }


def test_the_publisher_leaves_out_what_cannot_be_encoded(store: Store, raw: redis.Redis) -> None:
    """It would fail for ever, so it is reported once. Writes with it and after it are carried out."""
    errors: list[Exception] = []
    publisher = Publisher(store, "cc:meta", 17, Listeners(failed=errors.append))
    publisher.submit([Write("a", "set", b"1"), Write("bad", "set", None), Write("b", "set", b"2")])
    publisher.start()
    assert publisher.flush(PATIENCE)
    publisher.submit([Write("c", "set", b"3")])
    assert publisher.flush(PATIENCE)
    assert [raw.get(key) for key in ("a", "bad", "b", "c")] == [b"1", None, b"2", b"3"]
    assert [type(error) for error in errors] == [redis.DataError]
    assert publisher.problem() is None
    assert publisher.close()


def test_a_store_that_is_away(own_store: Server) -> None:
    """Every method raises one of the errors that callers catch; a cluster's store does so when it is opened."""
    own_store.stop()
    with pytest.raises(STORE_ERRORS):
        open_store(own_store.url, 1.0, cluster=True)
    with contextlib.closing(open_store(own_store.url, 1.0)) as store:
        for call in (
            store.ping,
            lambda: store.write([Write("a", "set", b"1")]),
            lambda: store.delete(["a"]),
            lambda: list(store.scan("*")),
            store.servers,
        ):
            with pytest.raises(STORE_ERRORS):
                call()
