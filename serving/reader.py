"""Read a user's recommendations in one round trip, with the fallback personal → popular → empty.

from serving.reader import Reader
Reader("redis://localhost:6379/0").recommend("alice", "books", 10)
"""

from __future__ import annotations

import time
from typing import Any, Literal, NamedTuple

import msgspec
import redis

from serving.contract import Keys, ListedItem, RecommendationList, decode_list
from serving.pseudonyms import Pseudonyms
from serving.store.connection import connect, redacted
from serving.store.errors import STORE_ERRORS

Origin = Literal["personal", "popular", "empty"]


class Unreachable(Exception):
    """The store does not answer. The only error that `Reader` raises."""


class Recommended(NamedTuple):
    """A list. `origin` says which list it is, `age_seconds` how old it is (None for an empty one)."""

    items: list[ListedItem]
    origin: Origin
    age_seconds: float | None
    model: int | None


class Reader:
    """Reads what the service published. Any thread may call it; it has one connection pool.

    key: the service's `privacy.key`. options: those of `serving.store.connection.connect`. Raises Unreachable if a
    cluster does not answer.
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        prefix: str = "cc",
        timeout: float = 1.0,
        key: str | None = None,
        **options: Any,
    ) -> None:
        self._inside = Pseudonyms(key).inside
        self._url = url
        self._keys = Keys(prefix)
        try:
            self._client = connect(url, timeout, **options)
        except STORE_ERRORS as error:  # a cluster is asked for its nodes at once
            raise Unreachable(f"Redis at {redacted(url)}: {type(error).__name__}") from None

    def recommend(self, user: str, domain: str, k: int = 10) -> Recommended:
        """Return the best `k` items, best first. Raises Unreachable."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.get(self._keys.recommendations(self._inside(user), domain))
        pipeline.get(self._keys.popular(domain))
        personal, popular = self._execute(pipeline)
        candidates: tuple[tuple[Origin, bytes | None], ...] = (("personal", personal), ("popular", popular))
        for origin, data in candidates:
            record = _readable(data)
            if record is not None and record.items:
                age = max(0.0, time.time() - record.published_ts / 1000)
                return Recommended(record.items[:k], origin, age, record.model)
        return Recommended([], "empty", None, None)

    def titles(self, domain: str, items: list[str]) -> dict[str, str]:
        """Return titles by item; "" for an item without a known title. Raises Unreachable."""
        pipeline = self._client.pipeline(transaction=False)
        for item in items:
            pipeline.hget(self._keys.item(domain, item), "title")
        found = self._execute(pipeline) if items else []
        return {
            item: (title or b"").decode(errors="replace") for item, title in zip(items, found, strict=True)
        }

    def _execute(self, pipeline: redis.client.Pipeline) -> list[bytes | None]:
        try:
            answers = pipeline.execute(raise_on_error=False)
            for answer in answers:
                if isinstance(answer, Exception) and not str(answer).startswith("WRONGTYPE"):
                    raise answer
        except STORE_ERRORS as error:
            raise Unreachable(f"Redis at {redacted(self._url)}: {type(error).__name__}") from None
        return [answer if isinstance(answer, bytes) else None for answer in answers]


def _readable(data: bytes | None) -> RecommendationList | None:
    if data is None:
        return None
    try:
        return decode_list(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
