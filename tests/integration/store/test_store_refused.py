"""`run` and `check` name a store that is not fit for the service, and say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from consumers.cli.check import check
from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.connections import connect_store
from consumers.demo.embedded_servers import HOST, Server, Store
from consumers.errors import USAGE, Stop
from serving.contract import Keys, Write
from serving.store.publisher import Listeners, Publisher
from serving.store.redis_store import open_store
from serving.store.store_info import EvictionWatch
from tests.support.service.running import wait_for
from tests.support.store.sentinels import Replicated

PATIENCE = 20.0


def settings(url: str) -> Settings:
    return build(
        {
            "redis": {"url": url},
            "kafka": {"bootstrap_servers": ["127.0.0.1:1"]},
            "domains": {"books": {"role": "target"}},
        }
    )


@pytest.fixture
def replica(tmp_path: Path, own_store: Server) -> Iterator[Replicated]:
    assert isinstance(own_store, Store)
    with Replicated(tmp_path / "replica", own_store) as made:
        yield made


def test_a_replica_is_named(own_store: Server, replica: Replicated) -> None:
    """A replica is named with its master at a start, and also if a store becomes one while the service runs."""
    said = f"{HOST}:{replica.port} is a replica of {HOST}:{own_store.port}"
    with pytest.raises(Stop, match=said) as stop:
        connect_store(settings(replica.url))
    assert stop.value.code == USAGE
    assert "redis+sentinel://" in str(stop.value)

    publisher = Publisher(open_store(replica.url, 1.0), "cc:meta", 17)
    publisher.start()
    publisher.submit([Write("cc:popular:books", "set", b"1")])
    why = wait_for(publisher.problem, PATIENCE)
    assert why.startswith("the store refuses writes: ReadOnlyError")
    assert f"a replica of {HOST}:{own_store.port}" in why
    publisher.close(0.0)


def test_a_prefix_that_another_program_uses(redis_url: str) -> None:
    """A `cc:meta` that is no hash is refused at a start, by name, and not deleted."""
    with redis.Redis.from_url(redis_url) as client:
        client.set("cc:meta", b"theirs")
        with pytest.raises(Stop, match="cc:meta, which is not ours") as stop:
            connect_store(settings(redis_url))
        assert stop.value.code == USAGE
        assert "redis.prefix" in str(stop.value)
        assert client.get("cc:meta") == b"theirs"


def store_line(url: str) -> tuple[bool, bool, str]:
    """Return (good, warns, text) of `check`'s line about the store."""
    return next((f.good, f.warns, f.detail) for f in check(settings(url)) if f.what == "store")


def test_a_store_that_throws_keys_away(own_store: Server) -> None:
    """`check` and the running service warn of the policy. Evicted keys are counted from the first look on."""
    assert isinstance(own_store, Store)
    good, warns, text = store_line(own_store.url)
    assert (good, warns) == (True, False)
    with redis.Redis.from_url(own_store.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        good, warns, text = store_line(own_store.url)
        assert (good, warns) == (True, True)
        assert "maxmemory-policy allkeys-lru" in text
        assert "noeviction" in text

        evicted: list[int] = []
        policies: list[str] = []
        watch = EvictionWatch(evicted.append, policies.append, every=0.0)
        publisher = Publisher(open_store(own_store.url), Keys("cc").meta, 17, Listeners(answered=watch.look))
        publisher.start()
        wait_for(lambda: policies, PATIENCE)
        assert sum(evicted) == 0
        room = int(client.info("memory")["used_memory"]) + 2_000_000
        client.config_set("maxmemory", room)
        publisher.submit(Write(f"cc:item:books:b{n}", "set", b"x" * 2000) for n in range(3000))
        assert publisher.flush(PATIENCE)
        gone = int(client.info("stats")["evicted_keys"])
        assert gone > 0
        wait_for(lambda: sum(evicted) >= gone, PATIENCE, why=f"{gone} keys counted")
        assert policies == ["allkeys-lru"]
        client.config_set("maxmemory-policy", "noeviction")
        wait_for(lambda: watch.policy is None, PATIENCE)
        client.config_set("maxmemory-policy", "volatile-ttl")
        wait_for(lambda: policies == ["allkeys-lru", "volatile-ttl"], PATIENCE)
        client.config_set("maxmemory", 0)
    publisher.close(0.0)


def test_a_user_who_may_not_ask(own_store: Server) -> None:
    """Without INFO everything else works, and `check` says what it cannot see."""
    assert isinstance(own_store, Store)
    with redis.Redis.from_url(own_store.url) as client:
        client.acl_setuser(
            "limited",
            True,
            reset=True,
            passwords=["+pass"],
            keys=["cc:*"],
            commands=["+ping", "+set", "+get", "+del", "+hset", "+hget", "+expire", "+scan"],
        )
    url = own_store.url.replace("redis://", "redis://limited:pass@")
    good, warns, text = store_line(url)
    assert (good, warns) == (True, True)
    assert "+info" in text
    watch = EvictionWatch(pytest.fail, pytest.fail, every=0.0)  # type: ignore[arg-type]
    publisher = Publisher(open_store(url), Keys("cc").meta, 17, Listeners(answered=watch.look))
    publisher.start()
    publisher.submit([Write("cc:popular:books", "set", b"1")])
    assert publisher.flush(PATIENCE)
    assert publisher.problem() is None
    assert publisher.close()
