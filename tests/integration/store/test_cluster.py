"""On a Redis Cluster of three nodes, values are read again, and found by a scan, on any node."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis

from consumers.demo.embedded_servers import HOST
from serving.contract import RECORD_VERSION, Keys, ListedItem, RecommendationList, hash_write, list_write
from serving.reader import Reader
from serving.store.key_scan import UserKeyScan
from serving.store.publisher import Publisher
from serving.store.redis_store import open_store
from tests.support.service.running import wait_for
from tests.support.store.cluster import Node, empty, nodes_of, started_nodes


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, redis_store: object) -> Iterator[list[Node]]:
    """Start three nodes that share all slots."""
    del redis_store  # skips where there is no Redis
    with started_nodes(tmp_path_factory.mktemp("cluster")) as nodes:
        yield nodes


@pytest.fixture
def cluster(nodes: list[Node]) -> str:
    """Return the URL of the first node; all nodes are empty."""
    empty(nodes)
    return nodes[0].url


def test_publisher_reader_and_scan(cluster: str) -> None:
    """Keys of many users lie on all nodes; each is written, read in one go, found, and deleted."""
    keys, users = Keys("cc"), [f"user{n}" for n in range(40)]
    publisher = Publisher(open_store(cluster, cluster=True), keys.meta, 17)
    publisher.start()
    now = int(time.time() * 1000)
    listed = RecommendationList(RECORD_VERSION, 1, now, now, [ListedItem("m1", 0.5, {"age": 0.5})])
    publisher.submit([hash_write(keys.meta, {"started_ts": 17})])
    for user in users:
        publisher.submit([hash_write(keys.user(user), {"dim": 2}, 60)])
        publisher.submit([list_write(keys.recommendations(user, "movies"), listed, 60)])
    assert publisher.flush(20)
    sizes = [client.dbsize() for client in nodes_of(cluster)]
    assert len(sizes) == 3
    assert all(sizes)
    assert sum(sizes) == 2 * len(users) + 1 + 3  # and a mark each

    reader = Reader(cluster, cluster=True)
    assert [reader.recommend(user, "movies").origin for user in users] == ["personal"] * len(users)

    wanted = {"user3", "user7", "user11", "user15"}
    scan = UserKeyScan(publisher.store, keys, str, frozenset(wanted))
    wait_for(scan.done, 20, why="the scan")
    assert scan.failure is None
    assert {user: sorted(set(held)) for user, held in scan.found.items()} == {
        user: [keys.recommendations(user, "movies"), keys.user(user)] for user in wanted
    }
    assert publisher.problem() is None
    assert {server.mode for server in publisher.store.servers()} == {"cluster"}
    assert len(publisher.store.servers()) == 3
    assert publisher.close()


@pytest.mark.parametrize("which", [0, 1, 2])
def test_one_node_comes_back_older(cluster: str, nodes: list[Node], which: int) -> None:
    """A loss of any node is noticed, with `cc:meta` or without, and the lost values are due again."""
    keys, users = Keys("cc"), [f"user{n}" for n in range(40)]
    publisher = Publisher(open_store(cluster, cluster=True), keys.meta, 17)
    publisher.start()
    publisher.submit([hash_write(keys.meta, {"started_ts": 17})])
    publisher.submit(hash_write(keys.user(user), {"dim": 1}, 60) for user in users[:20])
    assert publisher.flush(20)
    with redis.Redis(HOST, nodes[which].port, legacy_responses=False) as client:
        client.save()
    for user in users:  # in several chunks
        publisher.submit([hash_write(keys.user(user), {"dim": 2}, 60)])
        assert publisher.flush(20)
    marks = {key: mark for mark, written in publisher.acknowledged() for key in written}
    assert publisher.take_loss() is None
    nodes[which].stop()
    nodes[which].start()
    wait_for(publisher.store_lost.is_set, 20, why="the loss is noticed")
    since = publisher.take_loss()
    assert since is not None
    with redis.RedisCluster.from_url(cluster, legacy_responses=False) as client:
        lost = [user for user in users if client.hget(keys.user(user), "dim") != b"2"]
    assert 0 < len(lost) < len(users)
    assert min(marks[keys.user(user)] for user in lost) > since
    publisher.submit(
        hash_write(keys.user(user), {"dim": 2}, 60) for user in users if marks[keys.user(user)] > since
    )
    assert publisher.flush(20)
    with redis.RedisCluster.from_url(cluster, legacy_responses=False) as client:
        assert {client.hget(keys.user(user), "dim") for user in users} == {b"2"}
    publisher.submit([hash_write(keys.meta, {"started_ts": 17})])
    assert publisher.flush(20)
    known = publisher.known_store()
    assert publisher.close()
    again = Publisher(open_store(cluster, cluster=True), keys.meta, 18)
    again.start(known)
    assert again.take_loss() is None
    assert again.close()
