"""On a real Redis and a real Valkey the newest value wins, nothing is lost, and losses are noticed."""

from __future__ import annotations

import threading

import pytest
import redis

from consumers.demo.embedded_servers import Server
from serving.contract import Write, hash_write
from serving.store.backlog import TIMES_LIMIT, Backlog
from serving.store.connection import redacted
from serving.store.publisher import Publisher
from serving.store.redis_store import open_store
from tests.support.store.publishing import KEYS, PATIENCE, STARTED, Watched, eventually, meta, text


def test_every_kind_of_write(watched: Watched) -> None:
    """Strings, hashes, expiries and deletions are written as the contract says."""
    watched.client.set("old", b"1")
    vector = bytes(range(16))
    watched.publish(
        text("list", b"[]", ttl=50),
        Write("forever", "set", b"x"),
        hash_write("hash", {"vector": vector, "dim": 4, "bias": 0.1, "title": "ü"}),
        hash_write("user", {"dim": 4}, ttl_seconds=60),
        Write("old", "delete", None),
        Write("never-was", "delete", None),
    )
    client = watched.client
    assert client.get("list") == b"[]"
    assert 0 < client.ttl("list") <= 50
    assert (client.get("forever"), client.ttl("forever")) == (b"x", -1)
    assert client.hgetall("hash") == {
        b"vector": vector,
        b"dim": b"4",
        b"bias": b"0.1",
        b"title": "ü".encode(),
    }
    assert client.ttl("hash") == -1
    assert 0 < client.ttl("user") <= 60
    assert client.get("old") is None


def test_newest_value_wins(redis_url: str) -> None:
    """Values that were queued before a write become one write for each key, with the last value."""
    store = Watched(redis_url)
    for n in range(100):
        store.publisher.submit([text("a", b"%d" % n), text("b", b"%d" % -n)])
    assert store.publisher.backlog() == 2
    assert sorted(store.publisher.unconfirmed()) == ["a", "b"]
    store.publisher.start()
    assert store.publisher.flush(PATIENCE)
    assert (store.client.get("a"), store.client.get("b")) == (b"99", b"-99")
    assert len(store.written) == 2
    assert (store.publisher.backlog(), store.publisher.unconfirmed()) == (0, [])
    store.close()


def test_a_deletion_and_a_value_supersede_each_other(watched: Watched) -> None:
    """The last of the two counts."""
    watched.publish(text("a", b"1"), Write("a", "delete", None), text("b", b"1"))
    watched.publish(Write("b", "delete", None), text("b", b"2"))
    assert (watched.client.get("a"), watched.client.get("b")) == (None, b"2")


def test_freshness_is_counted_once_per_event(redis_url: str) -> None:
    """Each event's record time is reported once, also if its key is replaced before or during the write."""
    store = Watched(redis_url)
    for n in range(50):  # before the first write: superseded
        store.publisher.submit([text("u", b"%d" % n, born=(n,))])
    store.publisher.start()
    for n in range(50, 3000):  # while it is being written
        store.publisher.submit([text("u", b"%d" % n, born=(n,)), text(f"x{n % 50}", b"1")])
    assert store.publisher.flush(PATIENCE)
    born = [b for write in store.written for b in write.record_times_ms]
    assert sorted(born) == list(range(3000))
    assert all(len(write.record_times_ms) == len(write.domains) for write in store.written)
    assert store.client.get("u") == b"2999"
    store.close()


def test_flush_waits_for_the_store(watched: Watched) -> None:
    """After `flush` everything that was submitted is readable, also ten thousand keys."""
    watched.publish(*[text(f"k{n}", b"%d" % n) for n in range(10_000)])
    assert watched.client.dbsize() == 10_000 + 1  # and the mark
    assert watched.client.get("k9999") == b"9999"


def test_submit_from_many_threads(watched: Watched) -> None:
    """No write is lost when several threads submit at once."""

    def submit(name: int) -> None:
        for n in range(200):
            watched.publisher.submit([text(f"{name}:{n}", b"1")])

    threads = [threading.Thread(target=submit, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert watched.publisher.flush(PATIENCE)
    assert watched.client.dbsize() == 800 + 1  # and the mark


def limited(url: str) -> str:
    """Return the URL of a user who may write to our keys and to `k…` only."""
    with redis.Redis.from_url(url) as admin:
        admin.acl_setuser(
            "limited", True, reset=True, passwords=["+pass"], keys=["cc:*", "k*"], categories=["+@all"]
        )
    return url.replace("redis://", "redis://limited:pass@")


def test_a_refused_write_holds_up_nothing(redis_url: str) -> None:
    """If this user may not write a key, everything else is written, the error is reported, and the write is kept."""
    store = Watched(limited(redis_url))
    store.publisher.start()
    store.publisher.submit([hash_write("hash", {"dim": 1}, 60), *[text(f"k{n}", b"1") for n in range(1200)]])
    eventually(lambda: store.publisher.backlog() == 1)
    eventually(lambda: store.errors)
    assert isinstance(store.errors[0], redis.ResponseError)
    assert store.publisher.unconfirmed() == ["hash"]
    assert "NoPermissionError" in (store.publisher.problem() or "")
    with redis.Redis.from_url(redis_url) as admin:
        assert admin.dbsize() == 1200 + 1  # and the mark
        admin.acl_setuser("limited", enabled=True, keys=["*"])
    assert store.publisher.flush(PATIENCE)
    assert store.client.hget("hash", "dim") == b"1"
    assert store.publisher.problem() is None
    store.close()


def test_a_key_of_another_type_is_replaced(watched: Watched) -> None:
    """A foreign value under a key of ours is replaced, `cc:meta` and the mark too. Each is reported once, and nothing
    waits for ever."""
    watched.publish(meta(), hash_write("hash", {"dim": 1}, 60))
    for key in ("hash", "new", KEYS.meta):
        watched.client.delete(key)
        watched.client.rpush(key, "alien")
    watched.publish(hash_write("hash", {"dim": 2}), hash_write("new", {"dim": 3}), meta(), text("a", b"1"))
    assert [watched.client.hget(key, "dim") for key in ("hash", "new")] == [b"2", b"3"]
    assert watched.client.hget(KEYS.meta, "started_ts") is not None
    assert watched.client.get("a") == b"1"
    assert {"hash", "new", KEYS.meta} == set(watched.replaced)
    assert watched.publisher.store_lost.is_set()  # a mark that is gone says nothing of the rest
    watched.publish(text("a", b"2"))
    assert watched.publisher.problem() is None


def test_a_store_that_is_away_and_comes_back(own_store: Server) -> None:
    """The newest value of each key is kept, errors are reported, health goes and returns, and everything arrives."""
    store = Watched(own_store.url)
    store.publisher.start()
    store.publish(meta(), text("a", b"0", born=(0,)))
    assert store.publisher.healthy()
    own_store.stop()
    store.publisher.submit([text("a", b"1", born=(1,))])
    eventually(lambda: store.errors)
    store.publisher.submit([text("a", b"2", born=(2,)), text("b", b"1")])
    assert not store.publisher.flush(0.05)
    assert sorted(store.publisher.unconfirmed()) == ["a", "b"]
    eventually(lambda: not store.publisher.healthy())
    own_store.start()
    assert store.publisher.flush(PATIENCE)
    assert (store.client.get("a"), store.client.get("b")) == (b"2", b"1")
    assert store.publisher.healthy()
    assert store.publisher.store_lost.wait(PATIENCE)  # it came back empty
    assert sorted(b for write in store.written for b in write.record_times_ms) == [0, 1, 2]
    store.close()


def test_a_store_that_refuses_says_why(watched: Watched) -> None:
    """A full store is a problem, with its reason, until a write is taken."""
    watched.publish(text("a", b"1"))
    watched.client.config_set("maxmemory-policy", "noeviction")
    watched.client.config_set("maxmemory", 1)
    try:
        watched.publisher.submit([text("b", b"1")])
        why = eventually(watched.publisher.problem)
        assert why.startswith("the store refuses writes: OutOfMemoryError")
        assert watched.publisher.healthy()
    finally:
        watched.client.config_set("maxmemory", 0)
    eventually(lambda: watched.publisher.problem() is None)
    assert watched.client.get("b") == b"1"


def test_memory_is_bounded_while_the_store_is_away() -> None:
    """The backlog keeps one value for each key and a bounded number of times. Measured freshness stays measured."""
    waiting = Backlog()
    for n in range(0, 3 * TIMES_LIMIT, 1000):
        waiting.add([text(f"k{n % 7000}", b"x", born=tuple(range(n, n + 1000)))])
    writes = waiting.first(1000)
    assert len(waiting) == len(writes) == 7
    assert sum(len(write.record_times_ms) for write in writes) == TIMES_LIMIT
    assert all(len(write.record_times_ms) == len(write.domains) for write in writes)
    waiting.confirm(writes)
    waiting.add([text("k", b"x", born=(1,))])
    assert [write.record_times_ms for write in waiting.first(1000)] == [(1,)]


def test_start_needs_the_store(own_store: Server) -> None:
    """A store that does not answer at the start is an error at once."""
    own_store.stop()
    publisher = Publisher(open_store(own_store.url, 0.5), KEYS.meta, STARTED)
    with pytest.raises(redis.RedisError):
        publisher.start()
    assert publisher.close(0.0)


def test_close_tells_what_is_left(redis_url: str) -> None:
    """`close` returns True if everything was written; otherwise False, soon."""
    store = Watched(redis_url)
    store.publisher.start()
    store.publisher.submit([text("a", b"1")])
    assert store.publisher.close(PATIENCE)
    never_started = Watched(redis_url)
    never_started.publisher.submit([text("a", b"2")])
    assert not never_started.publisher.close(0.05)
    never_started.client.close()
    assert store.client.get("a") == b"1"
    store.client.close()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://me:hunter2@h:1/2", "redis://h:1/2"),
        ("rediss://:hun@ter2@h", "rediss://h"),
        ("redis://h/0?password=hunter2", "redis://h/0"),
        ("me:hunter2@h", "…"),
        ("hunter2", "…"),
        ("redis://me:hun#ter2@h:1/2", "redis://…"),
        ("redis://me:12#3@h:1/2", "redis://…"),
        ("redis://h/0?password=hunter@2", "redis://h/0"),
        ("rediss+sentinel://me:hunter2@a:1,b:2/mymaster/0?db=1", "rediss+sentinel://a:1,b:2/mymaster/0"),
        ("unix://me:hunter2@/run/redis.sock?db=1", "unix:///run/redis.sock"),
    ],
)
def test_redacted(url: str, shown: str) -> None:
    """A URL in a message has neither user nor password. Of an unreadable URL only the scheme is shown."""
    assert redacted(url) == shown
