"""Check the [redis] section of a config."""

from __future__ import annotations

from collections.abc import Iterator

from consumers.config.schema import RedisConfig
from serving.client.connection import problem, uses_sentinel, uses_tls


def problems(store: RedisConfig) -> Iterator[str]:
    """Yield a message for each fault, which begins with its key. No message shows the URL: it may hold a password."""
    if (wrong := problem(store.url)) is not None:
        yield f"redis.url: {wrong}"
        return
    for key in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        if getattr(store, key) is not None and not uses_tls(store.url):
            yield f"redis.{key}: needs a redis.url with rediss:// or rediss+sentinel://"
    if store.ssl_keyfile and not store.ssl_certfile:
        yield "redis.ssl_certfile: needed with redis.ssl_keyfile"
    sentinel = uses_sentinel(store.url)
    if sentinel and store.cluster:
        yield "redis.cluster: a cluster has no sentinels; name one of its nodes"
    for key in ("sentinel_username", "sentinel_password"):
        if getattr(store, key) is not None and not sentinel:
            yield f"redis.{key}: needs a redis.url with redis+sentinel:// or rediss+sentinel://"
