"""Publisher and reader use the master that Sentinel names, and the next one when it is killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.connections import connect_store
from consumers.demo.embedded_servers import HOST
from consumers.errors import USAGE, Stop
from serving.contract import RECORD_VERSION, Keys, ListedItem, RecommendationList, hash_write, list_write
from serving.reader import Reader, Unreachable
from serving.store.publisher import Publisher
from tests.support.service.killing import Feed
from tests.support.service.running import wait_for
from tests.support.service.service_world import DOMAINS, World
from tests.support.store.secure_store import PASSWORD
from tests.support.store.sentinels import NAME, WATCHWORD, Group

pytestmark = pytest.mark.timeout(400)  # a failover and several starts, on a machine that may be busy

RATE = 200.0


def test_a_master_is_killed_under_200_events_a_second(
    tmp_path: Path, one_bootstrap: str, topic_prefix: str, redis_store: object
) -> None:
    """The next master has every event and list of every user, and a reader finds them there."""
    del redis_store  # skips where there is no Redis
    with Group(tmp_path / "group") as group:
        plain = group.servers[0].url
        world = World(tmp_path, one_bootstrap, plain, topic_prefix)
        config = world.service.config
        config.write_text(config.read_text().replace(plain, group.url))
        world.store.close()
        world.store, world.url = group.client(), group.url
        feed = Feed(world, RATE, seed=3)
        try:
            world.fill(0)
            world.service.start()
            world.service.wait_until_ready()
            feed.start()
            wait_for(lambda: feed.sent > 2 * RATE, why="events")
            group.kill_master()
            after = feed.sent
            wait_for(lambda: feed.sent > after + 2 * RATE, why="events after the failover")
            feed.end()
            users = {user for user, _ in feed.learned}
            expected = {user: sum(feed.learned[user, d] for d in DOMAINS) for user in users}
            wait_for(
                lambda: {user: world.counts(user) for user in users} == expected,
                why="every event is published",
            )
            world.service.wait_until_ready()
            reader = Reader(group.url, world.prefix)
            wait_for(
                lambda: {reader.recommend(user, d).origin for user in users for d in DOMAINS} == {"personal"},
                why="lists in the next master",
            )
            checked = world.service.command("check", "-c", str(config))
            assert "ok   store" in checked.stdout, checked.stdout
            assert world.service.stop() == 0
            log = world.service.log.read_text()
            assert "Traceback" not in log
        finally:
            feed.end()
            world.close()


def test_tls_and_users_of_servers_and_sentinels(tmp_path: Path, redis_store: object) -> None:
    """Publisher and reader find the next master by themselves. Errors tell the two logins apart, without a secret."""
    del redis_store
    keys = Keys("cc")
    listed = RecommendationList(RECORD_VERSION, 1, 1, 1, [ListedItem("m1", 0.5, {"age": 0.5})])
    with Group(tmp_path / "group", replicas=1, sentinels=1, prefix="cc") as group:
        publisher = Publisher(group.store(), keys.meta, 17)
        publisher.start()
        publisher.submit([hash_write(keys.meta, {"started_ts": 17})])
        publisher.submit([list_write(keys.recommendations("ann", "movies"), listed, 600)])
        assert publisher.flush(30)
        reader = Reader(group.url, **group.options())
        assert reader.recommend("ann", "movies").origin == "personal"
        group.kill_master()
        publisher.submit([list_write(keys.recommendations("bob", "movies"), listed, 600)])
        assert publisher.flush(60)

        def read() -> bool:
            try:
                return reader.recommend("bob", "movies").origin == "personal"
            except Unreachable:
                return False

        wait_for(read, 30, why="the reader finds the next master")
        assert publisher.close()

        keys = {name: value for name, value in group.options().items() if name != "ssl_ca_certs"}
        keys["ssl_cafile"] = group.options()["ssl_ca_certs"]
        connect_store(settings(group.url, **keys)).close()
        for wrong, said in (
            ({"password": "wrong"}, "wrong, see redis.username and redis.password"),
            ({"sentinel_password": "wrong"}, "see redis.sentinel_username and redis.sentinel_password"),
            ({"sentinel_username": None, "sentinel_password": None}, "see redis.sentinel_username"),
            ({"ssl_cafile": None}, "see redis.ssl_cafile"),
        ):
            with pytest.raises(Stop, match=said) as stop:
                connect_store(settings(group.url, **(keys | wrong)))
            assert stop.value.code == USAGE
            assert PASSWORD not in str(stop.value)
            assert WATCHWORD not in str(stop.value)


def test_a_master_that_no_sentinel_knows(tmp_path: Path, redis_store: object) -> None:
    """An unknown name, and sentinels that are away, are reported with addresses and name. A sentinel named as if it
    were a store is reported too."""
    del redis_store
    with Group(tmp_path / "group", replicas=0, sentinels=1) as group:
        with pytest.raises(Stop, match=f"{HOST}:{group.sentinels[0].port} is a sentinel"):
            connect_store(settings(group.sentinels[0].url))
        for url in (group.url.replace(NAME, "other"), f"redis+sentinel://{HOST}:1,{HOST}:2/other"):
            with pytest.raises(Stop, match=r"no sentinel of 127\.0\.0\.1:.* knows a master other that is up"):
                connect_store(settings(url))


def settings(url: str, **keys: str | None) -> Settings:
    return build({"redis": {"url": url, **keys}}, need_domains=False)
