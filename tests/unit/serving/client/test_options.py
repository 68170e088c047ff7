"""A reader refuses options that cannot be meant, before it connects."""

from __future__ import annotations

from typing import Any

import pytest

from serving.client import AsyncReader, Reader

KEY = "0123456789abcdef"


@pytest.mark.parametrize("kind", [Reader, AsyncReader])
@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"timeout": 0}, ValueError, "timeout=0: seconds are wanted, above 0"),
        ({"timeout": -1.0}, ValueError, "timeout=-1"),
        ({"timeout": float("inf")}, ValueError, "timeout=inf"),
        ({"timeout": float("nan")}, ValueError, "timeout=nan"),
        ({"timeout": None}, TypeError, "timeout=None: seconds are wanted"),
        ({"timeout": "1"}, TypeError, "timeout='1'"),
        (
            {"timout": 1},
            TypeError,
            "timout: neither the reader nor redis-py has such an option; is timeout meant",
        ),
        ({"ssl_cafile": "ca.pem"}, TypeError, "ssl_cafile: neither the reader nor redis-py"),
        ({"key": "short"}, ValueError, "at least 16 characters, this one has 5"),
        ({"key": ""}, ValueError, "at least 16 characters"),
        ({"key": KEY.encode()}, TypeError, "key: a str is wanted"),
    ],
)
def test_refused(kind: type, options: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        kind("redis://127.0.0.1:1/0", **options)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("kind", [Reader, AsyncReader])
@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "rediss://127.0.0.1:1/0", "unix:///no/socket"])
def test_taken(kind: type, url: str) -> None:
    """Options of redis-py, and those of the reader; None is the default."""
    kind(url, timeout=1, key=KEY, username="me", password=None, health_check_interval=3, max_connections=4)
    kind("redis+sentinel://127.0.0.1:1/master", sentinel_password="secret", client_name="shop")
