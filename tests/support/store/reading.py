"""Write what the service would have published, and ask both kinds of reader."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import redis

from serving.client import AsyncReader, Reader
from serving.contract import Keys, ListedItem, RecommendationList, encode_list, encode_vector, hash_write

KEYS = Keys("cc")
DOMAINS = "books,movies"


def listing(*ids: str, age: float = 0.0, **more: Any) -> bytes:
    """Return a list of items with falling scores, `age` seconds old. more: fields to add or replace."""
    record = RecommendationList(
        1,
        7,
        0,
        int((time.time() - age) * 1000),
        [ListedItem(i, 1.0 - n, {"text": 1.0 - n}) for n, i in enumerate(ids)],
    )
    return json.dumps(json.loads(encode_list(record)) | more).encode()


def put_meta(client: redis.Redis) -> None:
    """Say which domains there are, and that the service has just written."""
    now = int(time.time() * 1000)
    client.hset(KEYS.meta, mapping={"domains": DOMAINS, "published_ts": now, "model": 3, "schema": 1})


def put_item(
    client: redis.Redis, item: str, vector: Sequence[float], tags: str = "", popularity: float = 1.0
) -> None:
    """Write the record of a book."""
    data = encode_vector(np.array(vector, np.float32))
    write = hash_write(
        KEYS.item("books", item),
        {"vector": data, "dim": len(vector), "tags": tags, "popularity": popularity},
    )
    client.hset(write.key, mapping=write.value)


def put_user(client: redis.Redis, user: str, vector: Sequence[float]) -> None:
    """Write the record of a user."""
    client.hset(KEYS.user(user), "vector", encode_vector(np.array(vector, np.float32)))  # type: ignore[arg-type]


class Asked:
    """Asks a `Reader` and an `AsyncReader` the same, and returns the answer, which must not differ but in age."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, method: str, *args: Any, **options: Any) -> Any:
        with Reader(self.url) as reader:
            found = _outcome(lambda: getattr(reader, method)(*args, **options))
        other = asyncio.run(self._later(method, args, options))
        assert _ageless(found) == _ageless(other)
        if isinstance(found, Exception):
            raise found
        return found

    async def _later(self, method: str, args: Any, options: Any) -> Any:
        async with AsyncReader(self.url) as reader:
            try:
                return await getattr(reader, method)(*args, **options)
            except Exception as error:  # compared with that of the other reader
                return error


def _outcome(call: Any) -> Any:
    try:
        return call()
    except Exception as error:  # compared with that of the other reader
        return error


def _ageless(found: Any) -> Any:
    if isinstance(found, Exception):
        return type(found), str(found)
    if isinstance(found, dict):
        return {key: _ageless(value) for key, value in found.items()}
    return found._replace(age_seconds=None) if hasattr(found, "age_seconds") else found
