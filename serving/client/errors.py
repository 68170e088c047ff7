"""Define what a reader raises, and which errors mean that the store is away or refuses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import redis
from redis.exceptions import RedisClusterException

from .connection import passwords, redacted

STORE_ERRORS = (redis.RedisError, RedisClusterException, OSError)
"""All errors of a store that is away or refuses."""


class Unreachable(Exception):
    """The store does not answer, or refuses. Use a list of your own, and try again later."""


class Refused(Unreachable):
    """The store answers, but not to this reader: user or password is wrong, or a right is missing. Mend that first."""


class UnknownDomain(LookupError):
    """The store has nothing of a domain of this name. `known`: the names that it has."""

    def __init__(self, domain: str, known: Iterable[str]) -> None:
        self.domain, self.known = domain, sorted(known)
        super().__init__(f"no domain {domain!r} in this store; it has {', '.join(self.known)}")


def unreachable(url: str, options: Mapping[str, Any], error: Exception) -> Unreachable:
    """Return what to raise for an error of the store: the address, and the words of the store or of the system.

    url, options: those of the reader. The message holds no password; words that do are left out.
    """
    words = str(error)
    if not words or any(one in words for one in passwords(url, options)):
        words = "its words are left out, because they hold a password" if words else ""
    said = f"{type(error).__name__}: {words}" if words else type(error).__name__
    refused = _refusal(error)
    if refused is not None:
        return Refused(f"Redis at {redacted(url)}: {refused} ({said})")
    return Unreachable(f"Redis at {redacted(url)}: {said}")


def _refusal(error: Exception) -> str | None:
    """Return what a refusal means; None if the error is none."""
    for one in (error, error.__cause__):  # a client of a cluster wraps the node's answer
        if isinstance(one, redis.AuthenticationError):
            return "the user or the password is wrong or missing"
        if isinstance(one, (redis.exceptions.NoPermissionError, redis.exceptions.AuthorizationError)):
            return "the user lacks a right that readers need"
    return None
