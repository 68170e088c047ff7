"""Reach the broker and the store before heavy libraries are loaded. Say in one clear line if one is away."""

from __future__ import annotations

import socket
from collections.abc import Callable

import redis

from consumers.config.schema import MetricsConfig, Settings
from consumers.errors import Stop
from consumers.source.kafka import KafkaSource
from consumers.source.options import SourceOptions
from consumers.source.ownership import Everything, NoEvents, Ownership, ShardOwnership
from serving.client.connection import problem, redacted, sentinel_parts, uses_sentinel
from serving.contract import Keys
from serving.http.server import reserve
from serving.store.errors import STORE_ERRORS, NoMasterError, refusal, wrong_type
from serving.store.redis_store import open_store
from serving.store.store import Store


def reserve_port(metrics: MetricsConfig) -> socket.socket:
    """Take the port of metrics and health before all else, because a start takes a while. Raises Stop."""
    try:
        return reserve(metrics.host, metrics.port)
    except OSError as error:
        raise port_taken(metrics, error) from error


def port_taken(metrics: MetricsConfig, error: OSError) -> Stop:
    """Return what to raise if the port cannot be had."""
    return Stop(
        f"metrics.port {metrics.port} on {metrics.host}: {error.strerror}. Set another (CROSSCURRENT_METRICS__PORT)."
    )


def connect_store(settings: Settings, opened: Callable[..., Store] = open_store) -> Store:
    """Return a store that has just answered and says that it takes writes. Raises Stop (exit 2)."""
    url = settings.redis.url
    if (why := problem(url)) is not None:
        raise Stop(f"redis.url {redacted(url)}: {why}")
    try:
        store = opened(url, **settings.redis.client())
        store.ping()
        _check_is_master(settings, store)
        _check_is_ours(settings, store)
    except STORE_ERRORS as error:
        # The error is not shown and not chained: it may hold the URL with its password.
        raise Stop(
            f"Redis at {redacted(url)} cannot be reached ({_kind(url, error)}). Start it, or "
            "set redis.url (CROSSCURRENT_REDIS__URL)."
        ) from None
    return store


def _check_is_master(settings: Settings, store: Store) -> None:
    """Raise Stop for a server that takes no writes.

    A client that finds its master by itself is not checked: the master may change at any moment.
    """
    url = settings.redis.url
    if settings.redis.cluster or uses_sentinel(url):
        return
    here = redacted(url).partition("://")[2].partition("/")[0] or redacted(url)
    by_sentinel = "redis+sentinel://HOST:26379,HOST:26379/MASTER/0"
    for server in store.servers():
        if server.mode == "sentinel":
            raise Stop(
                f"redis.url: {here} is a sentinel, which holds no data. Let it name the master: {by_sentinel}"
            )
        if server.replica_of is not None:
            raise Stop(
                f"redis.url: {here} is a replica of {server.replica_of}, and takes no writes. Name the master, or "
                f"let Sentinel name it: {by_sentinel}"
            )


def _check_is_ours(settings: Settings, store: Store) -> None:
    """Raise Stop if `cc:meta` is no hash: at a start an operator can decide. A running service would replace it."""
    meta = Keys(settings.redis.prefix).meta
    (found,) = store.write((), [(meta, "started_ts")]).found
    if not isinstance(found, Exception):
        return
    if wrong_type(found):
        raise Stop(
            f"the store holds {meta}, which is not ours: it is no hash. If another program uses this prefix, "
            f"set redis.prefix; if not, delete the key: redis-cli DEL {meta}"
        )
    raise found


def _kind(url: str, error: Exception) -> str:
    """Return the error's name, or what to look at if starting the server would not help."""
    if isinstance(error, NoMasterError):
        parts = sentinel_parts(url)
        hosts = ", ".join(f"{host}:{port}" for host, port in parts.hosts)
        keys = "redis.sentinel_username and redis.sentinel_password"
        told = [_told(reason, keys) for reason in error.reasons]
        why = next((one for one in told if one is not None), None)
        return f"no sentinel of {hosts} answers and knows a master {parts.service} that is up" + (
            f"; one says: {why}" if why else ""
        )
    return _told(error, "redis.username and redis.password or redis.password_file") or type(error).__name__


def _told(error: Exception, keys: str) -> str | None:
    """Return what a refusal means, or None if the error's name is all that is known.

    keys: the config keys of user and password.
    """
    if isinstance(error, redis.AuthenticationError) or str(error).startswith("WRONGPASS"):
        return f"AuthenticationError: user or password is wrong, see {keys}"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return f"{type(error).__name__}: its certificate is not trusted, see redis.ssl_cafile"
    if isinstance(error, redis.exceptions.NoPermissionError):
        return refusal(error)
    return None


def connect_both(settings: Settings, accept_gap: bool = False) -> tuple[KafkaSource, Store]:
    """Return the log and the store. Raises Stop, with what is wrong with both."""
    try:
        source = connect_source(settings, accept_gap)
    except Stop as stop:
        try:
            connect_store(settings).close()
        except Stop as second:
            raise Stop(f"{stop} And {second}", stop.code) from stop
        raise
    try:
        return source, connect_store(settings)
    except Stop:
        source.close()
        raise


def connect_source(settings: Settings, accept_gap: bool = False, network: bool = False) -> KafkaSource:
    """Return the log, once its topics are found. network: for the process that trains the network. Raises Stop."""
    shards = settings.shards
    ownership: Ownership = Everything()
    if network:
        ownership = NoEvents([*settings.event_topics(), settings.kafka.forget_topic])
    elif shards.several:
        ownership = ShardOwnership(shards.own(), shards.count, settings.event_topics())
    canary = "" if network or shards.own() else settings.kafka.canary_topic  # one shard times them for all
    needed: tuple[str, ...] = (settings.kafka.dead_letter_topic,)
    if shards.several:
        needed += (shards.facts_topic, shards.model_topic)
    options = SourceOptions(accept_gap, canary, needed, ownership=ownership)
    return KafkaSource(settings.kafka, settings.topics(), options)
