"""A Redis Cluster of three nodes: what is published is read again, and found by a sweep, whichever node has it."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import redis

from consumers.demo.embedded_servers import HOST, Store, free_port
from serving.contract import RECORD_VERSION, Keys, ListedItem, RecommendationList, hash_write, list_write
from serving.reader import Reader
from serving.store.connection import connect
from serving.store.key_scan import Sweep
from serving.store.redis_writer import Publisher
from serving.store.store_info import servers
from tests.support.running import wait_for

SLOTS = 16384
AGREED = {"cluster_state": "ok", "cluster_known_nodes": 3, "cluster_slots_ok": SLOTS, "cluster_size": 3}


class Node(Store):
    """One node; its bus listens on a port of its own. It comes back with its last snapshot."""

    def __init__(self, folder: Path) -> None:
        super().__init__("redis", log_dir=folder)
        self.bus = free_port()

    def command(self) -> Sequence[str]:
        bus = ["--cluster-enabled", "yes", "--cluster-port", str(self.bus), "--cluster-node-timeout", "2000"]
        return [*super().command(), *bus]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """Three that share all slots."""
    folder = tmp_path_factory.mktemp("cluster")
    with contextlib.ExitStack() as held:
        nodes = [held.enter_context(Node(folder / str(n))) for n in range(3)]
        clients = [held.enter_context(redis.Redis(HOST, node.port, legacy_responses=False)) for node in nodes]
        for n, client in enumerate(clients):
            client.execute_command("CLUSTER ADDSLOTSRANGE", n * SLOTS // 3, (n + 1) * SLOTS // 3 - 1)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", n + 1)
        for node in nodes[1:]:
            clients[0].execute_command("CLUSTER MEET", HOST, node.port, node.bus)
        for client in clients:
            wait_for(lambda c=client: agrees(c), 20, why="the nodes know of each other")
        yield nodes


@pytest.fixture
def cluster(nodes: list[Node]) -> str:
    """The URL of the first node; all are empty."""
    for node in nodes:
        with redis.Redis(HOST, node.port, legacy_responses=False) as client:
            client.flushall()
    return nodes[0].url


def agrees(client: redis.Redis) -> bool:
    said = str(client.execute_command("CLUSTER INFO"))
    return all(re.search(rf"{name}\W+{value}\b", said) for name, value in AGREED.items())


def test_publisher_reader_and_sweep(cluster: str) -> None:
    """Keys of many users lie on all nodes; each is written, read in one go, found, and deleted."""
    keys, users = Keys("cc"), [f"user{n}" for n in range(40)]
    publisher = Publisher(connect(cluster, cluster=True), keys.meta, 17)
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
    sweep = Sweep(publisher.client, keys, str, frozenset(wanted))
    wait_for(sweep.done, 20, why="the sweep")
    assert sweep.failure is None
    assert {user: sorted(set(held)) for user, held in sweep.found.items()} == {
        user: [keys.recommendations(user, "movies"), keys.user(user)] for user in wanted
    }
    assert publisher.problem() is None
    assert {server.mode for server in servers(publisher.client)} == {"cluster"}
    assert len(servers(publisher.client)) == 3
    assert publisher.close()


def nodes_of(url: str) -> list[redis.Redis]:
    with redis.RedisCluster.from_url(url, legacy_responses=False) as client:
        return [redis.Redis(node.host, node.port, legacy_responses=False) for node in client.get_primaries()]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_one_node_comes_back_older(cluster: str, nodes: list[Node], which: int) -> None:
    """Whichever it is, with `cc:meta` or without: it is noticed, and what it lost is among what is told to be due."""
    keys, users = Keys("cc"), [f"user{n}" for n in range(40)]
    publisher = Publisher(connect(cluster, cluster=True), keys.meta, 17)
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
    known = publisher.store()
    assert publisher.close()
    again = Publisher(connect(cluster, cluster=True), keys.meta, 18)
    again.start(known)
    assert again.take_loss() is None
    assert again.close()
