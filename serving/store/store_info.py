"""Ask a store whose replica it is, whether it evicts keys, and how many it has evicted."""

from __future__ import annotations

import time
from collections.abc import Callable

from serving.store.redis_store import KEEPS_ALL
from serving.store.store import Server, Store

LOOK_SECONDS = 5.0


def masters(store: Store) -> list[str]:
    """Return host:port of the masters of these servers. Raises redis.RedisError."""
    return [server.replica_of for server in store.servers() if server.replica_of]


def eviction_policy(found: list[Server]) -> str | None:
    """Return the policy by which one of these servers evicts keys when it is full; None if none does."""
    return next((server.policy for server in found if server.policy != KEEPS_ALL), None)


def may_throw_away(policy: str) -> str:
    """Return what an eviction policy means here, and what to do."""
    return (
        f"the store evicts keys when it is full (maxmemory-policy {policy}): users would lose their lists. "
        "Set maxmemory-policy noeviction, and maxmemory after the sizes in deploy/docs/operators.md"
    )


class EvictionWatch:
    """Counts the keys that a store evicts from the first look on, and reports a policy that allows it.

    `evicted(keys)` and `policy_set(policy)` are called by `look`, on the caller's thread. `policy`: the last
    one seen; None if the store keeps all keys.
    """

    def __init__(
        self,
        evicted: Callable[[int], None],
        policy_set: Callable[[str], None],
        every: float = LOOK_SECONDS,
    ) -> None:
        self._evicted, self._policy_set, self._every = evicted, policy_set, every
        self._seen: dict[str, int] = {}
        """Keys that each server has evicted since its start, by run_id: a server that starts again counts from 0."""
        self.policy: str | None = None
        self._looked = -every

    def look(self, store: Store) -> None:
        """Ask the store, at most once in `every` seconds. Raises redis.RedisError."""
        if time.monotonic() - self._looked < self._every:
            return
        self._looked = time.monotonic()
        found = store.servers()
        for server in found:
            self._evicted(max(0, server.evicted - self._seen.get(server.run_id, server.evicted)))
        self._seen = {server.run_id: server.evicted for server in found}
        policy, self.policy = self.policy, eviction_policy(found)
        if self.policy is not None and self.policy != policy:
            self._policy_set(self.policy)
