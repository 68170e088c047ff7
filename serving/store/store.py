"""Define what the service needs of a store of keys. Redis, Valkey and Redis Cluster implement it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from serving.contract import Write

FieldOf = tuple[str, str]
"""The key of a hash, and one of its fields."""


class Server(NamedTuple):
    """One server of the store that takes writes."""

    run_id: str
    """Changes with each start of the server."""
    mode: str
    """standalone, cluster or sentinel."""
    policy: str
    """Its eviction policy: which keys it deletes when it is full; `noeviction` for none."""
    evicted: int
    """Keys that it has evicted since its start."""
    replica_of: str | None
    """host:port of its master; None for a master."""


class Answers(NamedTuple):
    """The answers of one round trip."""

    found: list[bytes | Exception | None]
    """For each field, in order: its value, None if there is none, or why it cannot be read."""
    errors: list[Exception | None]
    """For each write, in order, why it was not taken; None if it was."""


class Store(Protocol):
    """A store of strings and hashes. Any thread may call it.

    Every method raises one of `serving.store.errors.STORE_ERRORS` if the store is away.
    """

    def ping(self) -> None:
        """Return once the store has answered. Raises NoMasterError if no sentinel names a master."""

    def write(self, writes: Sequence[Write], read_first: Iterable[FieldOf] = ()) -> Answers:
        """Read some fields, then carry out the writes in order: one round trip on a single server.

        An error of one write does not stop the others. A write that cannot be encoded is not sent.
        """

    def delete(self, keys: Iterable[str]) -> int:
        """Delete keys and return how many were there. Raises redis.ResponseError if that is not allowed."""

    def scan(self, pattern: str) -> Iterator[str]:
        """Yield the keys that a glob pattern matches; some may come twice."""

    def servers(self) -> list[Server]:
        """Return every server that takes writes; none if the store does not tell."""

    def parts(self) -> list[str]:
        """Return a hash tag for each part of the store that may lose writes by itself.

        A store of one part has the tag "".
        """

    def part_of(self, key: str) -> str:
        """Return the tag of the part that holds a key."""

    def close(self) -> None:
        """Close all connections."""
