"""Start a Redis Cluster of three nodes that share all slots."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import redis

from consumers.demo.embedded_servers import HOST, Store, free_port
from tests.support.service.running import wait_for

SLOTS = 16384
AGREED = {"cluster_state": "ok", "cluster_known_nodes": 3, "cluster_slots_ok": SLOTS, "cluster_size": 3}


class Node(Store):
    """One node, whose bus listens on a second port. It comes back with its last snapshot."""

    def __init__(self, folder: Path) -> None:
        super().__init__("redis", log_dir=folder)
        self.bus = free_port()

    def command(self) -> Sequence[str]:
        bus = ["--cluster-enabled", "yes", "--cluster-port", str(self.bus), "--cluster-node-timeout", "2000"]
        return [*super().command(), *bus]


@contextlib.contextmanager
def started_nodes(folder: Path) -> Iterator[list[Node]]:
    """Start three nodes, and yield them once they agree."""
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


def agrees(client: redis.Redis) -> bool:
    said = str(client.execute_command("CLUSTER INFO"))
    return all(re.search(rf"{name}\W+{value}\b", said) for name, value in AGREED.items())


def empty(nodes: list[Node]) -> None:
    """Delete every key of every node."""
    for node in nodes:
        with redis.Redis(HOST, node.port, legacy_responses=False) as client:
            client.flushall()


def nodes_of(url: str) -> list[redis.Redis]:
    with redis.RedisCluster.from_url(url, legacy_responses=False) as client:
        return [redis.Redis(node.host, node.port, legacy_responses=False) for node in client.get_primaries()]
