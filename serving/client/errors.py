"""Define what a reader raises, and which errors mean that the store is away or refuses."""

from __future__ import annotations

from collections.abc import Iterable

import redis
from redis.exceptions import RedisClusterException

STORE_ERRORS = (redis.RedisError, RedisClusterException, OSError)
"""All errors of a store that is away or refuses."""


class Unreachable(Exception):
    """The store does not answer, or refuses. Use a list of your own, and try again later."""


class UnknownDomain(LookupError):
    """The store has nothing of a domain of this name. `known`: the names that it has."""

    def __init__(self, domain: str, known: Iterable[str]) -> None:
        self.domain, self.known = domain, sorted(known)
        super().__init__(f"no domain {domain!r} in this store; it has {', '.join(self.known)}")
