"""Map every class of error that redis-py raises or returns to one behaviour."""

from __future__ import annotations

from typing import Literal

import redis
from redis.exceptions import InvalidResponse, PubSubError, RedisClusterException, WatchError

from serving.client.errors import STORE_ERRORS

__all__ = ["BEHAVIOUR", "STORE_ERRORS", "Behaviour", "NoMasterError", "behaviour", "wrong_type"]

Behaviour = Literal["reconnect", "refused", "leave_out"]
"""reconnect: the store is away or its answer is unreadable; the writes wait and are sent again.
refused: the store answers but does not take this write; it is sent again after all others.
leave_out: the write itself cannot be encoded; it is left out, because it would fail for ever.
"""

BEHAVIOUR: dict[type[Exception], Behaviour] = {
    redis.ConnectionError: "reconnect",
    redis.TimeoutError: "reconnect",
    InvalidResponse: "reconnect",
    redis.ResponseError: "refused",
    redis.DataError: "leave_out",
    # A node of a cluster, or its map of slots, is away: the client asks for a new map.
    redis.exceptions.ClusterError: "reconnect",
    redis.exceptions.ClusterDownError: "reconnect",
    RedisClusterException: "reconnect",
    # These belong to commands that the service does not send.
    PubSubError: "reconnect",
    WatchError: "reconnect",
    redis.exceptions.LockError: "reconnect",
    OSError: "reconnect",
}
"""A class without an entry behaves like the first of its base classes that has one."""


class NoMasterError(redis.ConnectionError):
    """No sentinel names a master. `reasons`: what went wrong with the sentinels that did not answer."""

    def __init__(self, reasons: list[Exception]) -> None:
        super().__init__("no sentinel names a master")
        self.reasons = reasons


def behaviour(error: Exception) -> Behaviour:
    """Return what the publisher does about an error of the store."""
    return next((BEHAVIOUR[kind] for kind in type(error).__mro__ if kind in BEHAVIOUR), "reconnect")


def refusal(error: Exception | None) -> str | None:
    """Return what a store means that answers and refuses this user; None for any other error."""
    text = str(error)
    if isinstance(error, redis.exceptions.NoPermissionError):
        return f"the store refuses a right: {text[:120]}"
    if text.startswith("redis."):  # the file of the password cannot be read
        return f"no password for the store: {text}"
    if isinstance(error, redis.AuthenticationError) or text.startswith("WRONGPASS"):
        return "the store refuses user or password: see redis.password_file or redis.password"
    return None


def wrong_type(error: Exception | None) -> bool:
    """Return whether a key holds a value of another type than what is written to it or read from it."""
    return error is not None and str(error).startswith("WRONGTYPE")
