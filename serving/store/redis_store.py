"""Keep the store on Redis or Valkey: one server, the master that Sentinel names, or a Redis Cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import redis
from redis.crc import key_slot
from redis.sentinel import MasterNotFoundError, SentinelConnectionPool

from serving.client.connection import connect
from serving.contract import Write
from serving.store.errors import STORE_ERRORS, NoMasterError
from serving.store.store import Answers, FieldOf, Server, Store

KEEPS_ALL = "noeviction"
SCAN_KEYS = 1000
"""Keys that the store looks at between two answers: about a tenth of a millisecond of its time."""


def open_store(url: str, timeout: float = 5.0, cluster: bool = False, **options: Any) -> Store:
    """Return a store that fails soon and does not retry. The arguments are those of `connect`.

    Raises ValueError for a URL that cannot be read, and STORE_ERRORS if a cluster does not answer.
    """
    client = connect(url, timeout, cluster, **options)
    return ClusterStore(client) if cluster else RedisStore(client)


class RedisStore:
    """A `Store` on one server, or on the master that Sentinel names."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        encoder: Any = client.get_encoder()
        self._encode: Callable[[Any], bytes] = encoder.encode

    def ping(self) -> None:
        try:
            self._client.ping()
        except MasterNotFoundError:
            raise NoMasterError(_reasons(self._client.connection_pool)) from None

    def write(self, writes: Sequence[Write], read_first: Iterable[FieldOf] = ()) -> Answers:
        pipeline = self._client.pipeline(transaction=False)
        for key, field in read_first:
            pipeline.hget(key, field)
        ends = [len(pipeline)]
        unfit: dict[int, Exception] = {}
        for number, write in enumerate(writes):
            try:
                _queue(pipeline, self._encoded(write))
            except redis.DataError as error:
                unfit[number] = error
            ends.append(len(pipeline))
        answers = pipeline.execute(raise_on_error=False)
        errors = [_error(answers[start:end]) for start, end in pairwise(ends)]
        whole = [unfit.get(number, error) for number, error in enumerate(errors)]
        return Answers(answers[: ends[0]], whole)

    def _encoded(self, write: Write) -> Write:
        """Return the write in bytes. Raises redis.DataError: a pipeline would find out only when it sends all."""
        if write.kind == "set":
            return write._replace(value=self._encode(write.value))
        if write.kind == "hash":
            if not write.value:
                raise redis.DataError("a hash without fields")
            return write._replace(value={name: self._encode(value) for name, value in write.value.items()})
        return write

    def delete(self, keys: Iterable[str]) -> int:
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.delete(key)
        answers = pipeline.execute(raise_on_error=False)
        if (error := _error(answers)) is not None:
            raise error
        return sum(int(number) for number in answers)

    def scan(self, pattern: str) -> Iterator[str]:
        for raw in self._client.scan_iter(pattern, count=SCAN_KEYS):
            yield raw.decode(errors="surrogateescape")

    def servers(self) -> list[Server]:
        """Return none if INFO is refused: the user may lack the right, or a proxy does not know the command."""
        try:
            return [_server(info) for info in self._infos()]
        except redis.ResponseError:
            return []

    def _infos(self) -> list[dict[str, Any]]:
        return [self._client.info()]

    def parts(self) -> list[str]:
        return [""]

    def part_of(self, key: str) -> str:
        return ""

    def close(self) -> None:
        self._client.close()


class ClusterStore(RedisStore):
    """A `Store` on a Redis Cluster. Each primary is a part, named by the hash tag of its first slot.

    A replica that takes over holds the same slots, and so has the same name.
    """

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self._nodes = client.nodes_manager
        self._firsts: dict[str, int] = {}
        """By primary, its first slot at the last look."""
        self._tags: dict[int, str] = {}

    def _infos(self) -> list[dict[str, Any]]:
        said: Any = self._client.info(target_nodes=redis.RedisCluster.PRIMARIES)
        return [said] if "run_id" in said else list(said.values())

    def parts(self) -> list[str]:
        """Return the tags of all primaries, by the newest map of slots."""
        held = sorted(self._nodes.slots_cache.items(), reverse=True)
        self._firsts = {nodes[0].name: slot for slot, nodes in held}
        return [self._tag(slot) for slot in self._firsts.values()]

    def part_of(self, key: str) -> str:
        """Return the tag of the primary. Raises redis.RedisError if no node holds the key's slot."""
        name = self._nodes.get_node_from_slot(key_slot(key.encode())).name
        first = self._firsts.get(name)
        if first is None or self._nodes.slots_cache[first][0].name != name:
            self.parts()
        return self._tag(self._firsts[name])

    def _tag(self, slot: int) -> str:
        if slot not in self._tags:
            self._tags[slot] = next(str(n) for n in range(1 << 30) if key_slot(b"%d" % n) == slot)
        return self._tags[slot]


def _queue(pipeline: Any, write: Write) -> None:
    if write.kind == "set":
        pipeline.set(write.key, write.value, ex=write.ttl_seconds)
    elif write.kind == "delete":
        pipeline.delete(write.key)
    else:
        if write.fresh:
            pipeline.delete(write.key)
        pipeline.hset(write.key, mapping=write.value)
        if write.ttl_seconds is not None:
            pipeline.expire(write.key, write.ttl_seconds)


def _error(answers: list[Any]) -> Exception | None:
    """Return the first error among the answers to one write's commands."""
    return next((answer for answer in answers if isinstance(answer, Exception)), None)


def _server(info: dict[str, Any]) -> Server:
    master = f"{info.get('master_host')}:{info.get('master_port')}" if info.get("role") == "slave" else None
    return Server(
        str(info.get("run_id", "")),
        str(info.get("redis_mode", "standalone")),
        str(info.get("maxmemory_policy", KEEPS_ALL)),
        int(info.get("evicted_keys", 0)),
        master,
    )


def _reasons(pool: Any) -> list[Exception]:
    """Return what went wrong with the sentinels that gave no answer."""
    assert isinstance(pool, SentinelConnectionPool)
    reasons: list[Exception] = []
    for sentinel in pool.sentinel_manager.sentinels:
        try:
            sentinel.ping()
        except STORE_ERRORS as error:
            reasons.append(error)
    return reasons
