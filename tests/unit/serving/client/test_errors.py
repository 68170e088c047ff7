"""What a reader says of an error of the store: its words, and never a password."""

from __future__ import annotations

import pytest
import redis
from redis.exceptions import NoPermissionError, RedisClusterException

from serving.client import Refused
from serving.client.errors import unreachable

URL = "redis://me:hunter%232@cache:6379/0"


def test_the_words_of_the_system_are_there() -> None:
    error = redis.ConnectionError("Error 111 connecting to cache:6379. Connection refused.")
    told = unreachable(URL, {}, error)
    assert str(told) == (
        "Redis at redis://cache:6379/0: ConnectionError: Error 111 connecting to cache:6379. Connection refused."
    )
    assert not isinstance(told, Refused)
    assert str(unreachable(URL, {}, redis.TimeoutError())) == "Redis at redis://cache:6379/0: TimeoutError"


@pytest.mark.parametrize("secret", ["hunter%232", "hunter#2", "letmein", "of-the-sentinels", "in-the-query"])
def test_words_with_a_password_are_left_out(secret: str) -> None:
    """As written in the URL, as sent, and as given beside it."""
    options = {"password": "letmein", "sentinel_password": "of-the-sentinels", "cluster": True}
    error = redis.ResponseError(f"unknown command 'AUTH', with args beginning with: 'me' '{secret}'")
    told = str(unreachable(f"{URL}?ssl_password=in-the-query", options, error))
    assert told.startswith("Redis at redis://cache:6379/0: ResponseError: ")
    assert secret not in told


def test_a_refusal_by_a_node_of_a_cluster() -> None:
    """The client wraps the node's answer."""
    error = RedisClusterException("cannot be connected")
    error.__cause__ = redis.AuthenticationError("invalid username-password pair")
    assert isinstance(unreachable(URL, {}, error), Refused)
    assert isinstance(unreachable(URL, {}, NoPermissionError("no permissions")), Refused)
