"""Define and check the [redis] section of a config."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from consumers.config.secret_file import StoreLogin, login_of_url
from serving.client.connection import login, problem, uses_sentinel, uses_tls


class RedisConfig(msgspec.Struct, forbid_unknown_fields=True):
    """Where results go. `rediss://` is TLS.

    `redis+sentinel://host:26379,host:26379/master/0` (or `rediss+sentinel://`): the master that Sentinel names. The
    sentinels' own user and password are `sentinel_username` and `sentinel_password`.
    """

    url: str = "redis://localhost:6379/0"
    """Where the store is. A password in it must be percent-encoded."""
    url_file: str | None = None
    """File that holds the URL. A user and password in it are read again with every new connection."""
    prefix: str = "cc"
    """First part of every key."""
    username: str | None = None
    """ACL user."""
    password: str | None = None
    """Its password."""
    password_file: str | None = None
    """File that holds the password. It is read again with every new connection, so it may change."""
    sentinel_username: str | None = None
    """ACL user of the sentinels."""
    sentinel_password: str | None = None
    """Password of the sentinels."""
    sentinel_password_file: str | None = None
    """File that holds that password, read again with every new connection."""
    ssl_cafile: str | None = None
    """Certificates of the authorities to trust, PEM."""
    ssl_certfile: str | None = None
    """The client's own certificate, PEM."""
    ssl_keyfile: str | None = None
    """Key of that certificate, PEM."""
    cluster: bool = False
    """The URL names one node of a Redis Cluster. The client finds the others."""

    def client(self) -> dict[str, Any]:
        """Return what `serving.client.connection.connect` takes besides the URL."""
        return {
            "cluster": self.cluster,
            **self._login(),
            **self._sentinel_login(),
            "ssl_ca_certs": self.ssl_cafile,
            "ssl_certfile": self.ssl_certfile,
            "ssl_keyfile": self.ssl_keyfile,
        }

    def _login(self) -> dict[str, Any]:
        """Return user and password, or what reads them again. Those in the URL go first."""
        user, password = login(self.url)
        if password is not None and self.url_file:
            return {"credential_provider": StoreLogin("redis.url_file", self.url_file, login_of_url)}
        if password is None and self.password_file:
            name = user or self.username
            return {
                "credential_provider": StoreLogin(
                    "redis.password_file", self.password_file, lambda text: (name, text)
                )
            }
        return {"username": self.username, "password": self.password}

    def _sentinel_login(self) -> dict[str, Any]:
        name = self.sentinel_username
        if self.sentinel_password_file:
            key, file = "redis.sentinel_password_file", self.sentinel_password_file
            return {"sentinel_credential_provider": StoreLogin(key, file, lambda text: (name, text))}
        return {"sentinel_username": name, "sentinel_password": self.sentinel_password}


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
