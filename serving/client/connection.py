"""Make a client of the store from a URL: one server, a cluster, or the master that Sentinel names."""

from __future__ import annotations

import difflib
import inspect
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

SENTINEL_PORT = 26379
_TLS = {"rediss", "rediss+sentinel"}
LOGIN = ("username", "password", "credential_provider")
"""Options of a login. Those with `sentinel_` before are for the sentinels."""
_USER = r"(?P<user>[^/?#\[\]]*@)?"
_HOST = r"(?:\[[^\[\]/?#@]+\]|[^\[\]/?#@:,\s]*)(?::\d{1,5})?"
_QUERY = r"(?:\?(?P<query>\w+=[^&#]*(?:&\w+=[^&#]*)*))?"
_SHAPES = {
    "redis": re.compile(rf"{_USER}(?P<hosts>{_HOST})(?:/(?P<db>\d*))?{_QUERY}"),
    "redis+sentinel": re.compile(
        rf"{_USER}(?P<hosts>{_HOST}(?:,{_HOST})*)/(?P<service>[^/?#@]+)(?:/(?P<db>\d*))?{_QUERY}"
    ),
    "unix": re.compile(rf"{_USER}(?P<hosts>)/[^?#]*{_QUERY}"),
}
_SHAPES["rediss"], _SHAPES["rediss+sentinel"] = _SHAPES["redis"], _SHAPES["redis+sentinel"]

FORMS = (
    "redis://localhost:6379/0 (rediss:// for TLS, unix:// for a socket, "
    "redis+sentinel://HOST:26379,HOST:26379/MASTER/0 for Sentinel)"
)
ENCODE = (
    "a user or password in it that holds one of # ? / [ ] must be percent-encoded (%23 %3F %2F %5B %5D); "
    "or set redis.password"
)


class Parts(NamedTuple):
    """A URL for Sentinel. `server`: the URL of a plain server with the same user, database and options."""

    hosts: list[tuple[str, int]]
    service: str
    server: str


def problem(url: str) -> str | None:
    """Return what is wrong with a URL, without its user or password; None if nothing is."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _SHAPES:
        return f"not a URL such as {FORMS}"
    match = _SHAPES[scheme].fullmatch(rest)
    options = _parameters(redis.Redis)
    unknown = match and {name for name, _ in _options(match["query"])} - options
    if match and not unknown:
        return None
    if "@" in rest:
        return f"not a URL such as {FORMS}: {ENCODE}"
    if unknown:
        return f"redis-py has no option {', '.join(sorted(unknown))}"
    return f"not a URL such as {FORMS}"


def _parameters(kind: Any) -> set[str]:
    return set(inspect.signature(kind.__init__).parameters)


def _options(query: str | None) -> list[tuple[str, str]]:
    return [
        (name, value) for name, _, value in (one.partition("=") for one in (query or "").split("&")) if name
    ]


def redacted(url: str) -> str:
    """Return the URL without its user, password and options (an option may be a password).

    A URL that cannot be read loses all behind `://`, because it does not show where its password ends.
    """
    scheme, separator, rest = url.partition("://")
    if problem(url) is not None:
        return f"{scheme}://…" if separator and scheme in _SHAPES else "…"
    return f"{scheme}://" + rest.partition("?")[0].rsplit("@", 1)[-1]


def passwords(url: str, options: Mapping[str, Any]) -> set[str]:
    """Return what no message may show: the passwords in a URL, as written and as sent, and those among options."""
    user, at, _ = url.partition("://")[2].rpartition("@")
    found = [user.partition(":")[2]] if at else []
    found += [value for name, value in _options(url.partition("?")[2]) if "password" in name]
    given = [str(value) for name, value in options.items() if "password" in name and value]
    return {one for one in (*found, *map(unquote, found), *given) if one}


def uses_tls(url: str) -> bool:
    return url.partition("://")[0] in _TLS


def uses_sentinel(url: str) -> bool:
    return url.partition("://")[0].endswith("+sentinel")


def sentinel_parts(url: str) -> Parts:
    """Split a URL for which `problem` returns None and `uses_sentinel` True."""
    scheme, _, rest = url.partition("://")
    match = _SHAPES[scheme].fullmatch(rest)
    assert match is not None
    hosts = []
    for one in match["hosts"].split(","):
        host, _, port = one.rpartition(":") if re.search(r":\d+$", one) else (one, "", "")
        hosts.append((host.strip("[]") or "localhost", int(port or SENTINEL_PORT)))
    query = f"?{match['query']}" if match["query"] else ""
    server = f"{scheme.partition('+')[0]}://{match['user'] or ''}server/{match['db'] or 0}{query}"
    return Parts(hosts, match["service"], server)


def login(url: str) -> tuple[str | None, str | None]:
    """Return user and password that stand in a URL for which `problem` returns None."""
    options = parse_url(sentinel_parts(url).server if uses_sentinel(url) else url)  # type: ignore[no-untyped-call]
    return options.get("username"), options.get("password")


def _without_login(url: str) -> str:
    scheme, _, rest = url.partition("://")
    match = _SHAPES[scheme].fullmatch(rest)
    assert match is not None
    return f"{scheme}://{rest.removeprefix(match['user'] or '')}"


class Library(NamedTuple):
    """The classes of redis-py that block, or those for asyncio."""

    client: Any
    cluster: Any
    retry: Any
    sentinel: Any


BLOCKING = Library(redis.Redis, redis.RedisCluster, Retry, Sentinel)
ASYNCIO = Library(redis.asyncio.Redis, redis.asyncio.RedisCluster, AsyncRetry, AsyncSentinel)


def connect(url: str, timeout: float = 5.0, cluster: bool = False, **options: Any) -> redis.Redis:
    """Return a client that fails soon and does not retry: its callers do.

    timeout: seconds for an answer. cluster: the URL names one node of a Redis Cluster, which names the others.
    options: `sentinel_username` and `sentinel_password` are for the sentinels. The others go to redis-py: username,
    password, ssl_ca_certs, ssl_certfile, ssl_keyfile. A `credential_provider` (`sentinel_credential_provider`) is asked
    at each new connection, in place of user and password, also of those in the URL. Raises ValueError for a URL that
    cannot be read and for a timeout of no length, TypeError for one that is no number and for an option that redis-py
    does not have.
    """
    client: redis.Redis = _connect(BLOCKING, url, timeout, cluster, options)
    return client  # a client of a cluster has the same methods, as far as they are used here


def connect_async(
    url: str, timeout: float = 5.0, cluster: bool = False, **options: Any
) -> redis.asyncio.Redis:
    """Return what `connect` does, for asyncio. It connects with the first command."""
    client: redis.asyncio.Redis = _connect(ASYNCIO, url, timeout, cluster, options)
    return client


def sentinels_of(client: Any) -> list[Any]:
    """Return the clients that a client made to ask its sentinels. It does not close them."""
    pool = getattr(client, "connection_pool", None)
    return list(getattr(getattr(pool, "sentinel_manager", None), "sentinels", ()))


def _check(timeout: Any, options: set[str], cluster: bool) -> None:
    """Raise TypeError or ValueError for what redis-py would refuse with the first command, or take for a store away."""
    if not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout={timeout!r}: seconds are wanted, a number above 0")
    if not 0 < timeout < math.inf:
        raise ValueError(f"timeout={timeout}: seconds are wanted, above 0")
    takers = [redis.Redis, *redis.SSLConnection.__mro__[:-1]] + [redis.RedisCluster] * cluster
    known = {f"sentinel_{name}" for name in LOGIN}.union(*(_parameters(one) for one in takers))
    for name in sorted(options - known):
        near = difflib.get_close_matches(name, known | {"prefix", "timeout", "key", "cluster"}, 1)
        hint = f"; is {near[0]} meant?" if near else ""
        raise TypeError(f"{name}: neither the reader nor redis-py has such an option{hint}")


def _connect(library: Library, url: str, timeout: float, cluster: bool, options: dict[str, Any]) -> Any:
    if (why := problem(url)) is not None:
        raise ValueError(why)
    _check(timeout, set(options), cluster)
    given = {name: value for name, value in options.items() if value is not None}
    own = {name: given.pop(f"sentinel_{name}", None) for name in LOGIN}
    if "credential_provider" in given:  # redis-py takes either that or a user and password
        url = _without_login(url)
    limits = {"socket_timeout": timeout, "socket_connect_timeout": min(timeout, 2.0)}
    if uses_sentinel(url):
        return _master(library, url, own, limits, given)
    if not cluster:
        return library.client.from_url(url, **limits, retry=library.retry(NoBackoff(), 0), **given)
    return library.cluster.from_url(url, **limits, retry=library.retry(NoBackoff(), 1), **given)


def _master(
    library: Library,
    url: str,
    own: dict[str, Any],
    limits: dict[str, float],
    given: dict[str, Any],
) -> Any:
    """Return a client of the master that the sentinels name; they are asked again for each connection.

    own: login of the sentinels. Their TLS is that of the servers.
    """
    parts = sentinel_parts(url)
    server: dict[str, Any] = parse_url(parts.server) | given  # type: ignore[no-untyped-call]
    for unused in ("host", "port", "connection_class"):
        server.pop(unused, None)
    secure = {name: value for name, value in server.items() if name.startswith("ssl_")}
    if uses_tls(url):
        secure["ssl"] = server["ssl"] = True
    brief: dict[str, Any] = {name: min(2.0, seconds) for name, seconds in limits.items()}
    brief |= own | secure | {"retry": library.retry(NoBackoff(), 0)}
    sentinel = library.sentinel(parts.hosts, sentinel_kwargs=brief)
    return sentinel.master_for(parts.service, retry=library.retry(NoBackoff(), 0), **limits, **server)
