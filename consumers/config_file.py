"""Settings from one TOML file and environment overrides. An unknown key is an error that names its path."""

from __future__ import annotations

import copy
import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from consumers.config import DomainConfig, Redis, Settings
from consumers.errors import Stop
from serving.connection import problem, uses_sentinel, uses_tls

PREFIX = "CROSSCURRENT_"
DOMAIN_NAME = re.compile(r"[a-z0-9_-]+")


def load(path: Path | None, environ: Mapping[str, str] | None = None, need_domains: bool = True) -> Settings:
    """Reads `path` (None: defaults only), applies the environment, validates.

    Raises Stop with exit code 2 and the path of the offending key.
    """
    raw: dict[str, Any] = {}
    if path is not None:
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise Stop(f"config {path}: {error.strerror}. Start from deploy/crosscurrent.toml.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Stop(f"config {path}: not valid TOML: {error}") from error
    return build(raw, os.environ if environ is None else environ, str(path or "defaults"), need_domains)


def build(
    raw: dict[str, Any],
    environ: Mapping[str, str] | None = None,
    origin: str = "config",
    need_domains: bool = True,
) -> Settings:
    """Settings from a plain dict and environment overrides; see `load`."""
    raw = copy.deepcopy(raw)
    from_environment: dict[str, str] = {}
    for name, text in (environ or {}).items():
        if name.startswith(PREFIX) and "__" in name:
            from_environment[_override(raw, name, text)] = name
    try:
        settings = msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        place, what = _readable(str(error), _bad_domain(raw))
        if (variable := from_environment.get(place)) is not None:
            origin = f"environment {variable}"
        raise Stop(f"{origin}: {place or 'top level'}: {what}") from error
    _read_secret_files(settings)
    _check(settings, origin, need_domains)
    return settings


def _bad_domain(raw: dict[str, Any]) -> str:
    """The name of the first domain that is not well-formed: msgspec's path says `[...]` for it."""
    domains = raw.get("domains")
    for name, domain in domains.items() if isinstance(domains, dict) else ():
        try:
            msgspec.convert(domain, DomainConfig)
        except msgspec.ValidationError:
            return str(name)
    return ""


def _readable(message: str, domain: str) -> tuple[str, str]:
    """msgspec's `Object contains unknown field `x` - at `$.kafka`` as the key, `kafka.x`, and what is wrong with it."""
    text, _, where = message.partition(" - at `$")
    place = where.rstrip("`").lstrip(".").replace("domains[...]", f"domains.{domain}").replace("[...]", "")
    if unknown := re.match(r"Object contains unknown field `(.*)`", text):
        return f"{place + '.' if place else ''}{unknown[1]}", "unknown key"
    if text.startswith("Invalid enum value"):
        kind = _kind(place.split("."))
        literals = [one for one in (kind, *get_args(kind)) if get_origin(one) is Literal]
        choices = ", ".join(choice for one in literals for choice in get_args(one))
        return place, f"{text.removeprefix('Invalid enum value ')} is none of {choices}"
    return place, text


def _kind(path: list[str]) -> Any:
    """The type of a key; None if there is no such key."""
    kind: Any = Settings
    for key in path:
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif isinstance(kind, type) and issubclass(kind, msgspec.Struct) and key in get_type_hints(kind):
            kind = get_type_hints(kind)[key]
        else:
            return None
    return kind


def _override(raw: dict[str, Any], name: str, text: str) -> str:
    """Sets what the variable says; gives the key's path."""
    path = name.removeprefix(PREFIX).lower().split("__")
    if (kind := _kind(path)) is None:
        raise Stop(f"environment {name}: {'.'.join(path)}: unknown key")
    table = raw
    for key in path[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise Stop(f"environment {name}: {'.'.join(path)}: its parent is not a table")
    optional = get_origin(kind) is not list and str in get_args(kind)
    table[path[-1]] = _parse(text, wants_text=kind is str or optional)
    return ".".join(path)


def _parse(text: str, wants_text: bool) -> Any:
    """`text` as TOML, else as it stands; where a string is wanted, `123` stays a string."""
    try:
        parsed = tomllib.loads(f"v = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = parsed["v"]
    return text if len(parsed) > 1 or (wants_text and not isinstance(value, str)) else value


def _read_secret_files(settings: Settings) -> None:
    for section, owner, key in (
        ("kafka", settings.kafka, "sasl_password"),
        ("redis", settings.redis, "url"),
        ("redis", settings.redis, "password"),
        ("redis", settings.redis, "sentinel_password"),
        ("privacy", settings.privacy, "key"),
    ):
        if file := getattr(owner, f"{key}_file"):
            try:
                setattr(owner, key, Path(file).read_text(encoding="utf-8").strip())
            except OSError as error:
                raise Stop(f"{section}.{key}_file {file}: {error.strerror}") from error
            except UnicodeDecodeError:  # the error itself would show the secret
                raise Stop(f"{section}.{key}_file {file}: not UTF-8 text") from None


def _check(settings: Settings, origin: str, need_domains: bool) -> None:
    def demand(holds: bool, message: str) -> None:
        if not holds:
            raise Stop(f"{origin}: {message}")

    demand(bool(settings.domains) or not need_domains, "domains: name at least one, as [domains.movies]")
    owners: dict[str, str] = {}
    for key in ("dead_letter_topic", "forget_topic", "canary_topic"):
        topic = getattr(settings.kafka, key)
        demand(bool(topic) or key == "canary_topic", f"kafka.{key}: name a topic")
        demand(topic not in owners, f"kafka.{key}: topic {topic} is taken by {owners.get(topic)}")
        owners[topic] = f"kafka.{key}"
    for name, domain in settings.domains.items():
        demand(bool(DOMAIN_NAME.fullmatch(name)), f"domains.{name}: a name matches [a-z0-9_-]+")
        low, high = domain.rating_range
        finite = math.isfinite(low) and math.isfinite(high)
        demand(
            finite and low < high,
            f"domains.{name}.rating_range: two finite values, the first below the second",
        )
        for kind in ("interactions", "items"):
            topic = getattr(domain, f"{kind}_topic") or f"{kind}.{name}"
            setattr(domain, f"{kind}_topic", topic)
            owner = f"domains.{name}.{kind}_topic"
            demand(topic not in owners, f"{owner}: topic {topic} is taken by {owners.get(topic)}")
            owners[topic] = owner
    for section, keys in (
        (
            settings.intake,
            ("batch_events", "batch_ms", "network_events", "max_record_bytes", "max_consecutive_invalid"),
        ),
        (settings.publish, ("interval_ms", "top", "ttl_seconds", "max_backlog")),
        (settings.learner, ("users", "seen_items", "items_per_domain")),
        (settings.checkpoint, ("interval_seconds",)),
        (settings.kafka, ("canary_seconds",)),
    ):
        for key in keys:
            demand(getattr(section, key) > 0, f"{type(section).__name__.lower()}.{key}: must be above 0")
    demand(bool(settings.kafka.bootstrap_servers), "kafka.bootstrap_servers: name at least one")
    demand(0 <= settings.metrics.port <= 65_535, "metrics.port: must be from 0 (any free one) to 65535")
    demand(0 <= settings.ranker.diversity <= 1, "ranker.diversity: must be in [0, 1]")
    demand(0 < settings.publish.list_share <= 1, "publish.list_share: must be in (0, 1]")
    demand(0 < settings.intake.max_invalid_ratio <= 1, "intake.max_invalid_ratio: must be in (0, 1]")
    _check_redis(settings.redis, demand)
    demand(
        settings.privacy.key is None or len(settings.privacy.key) >= 16,
        "privacy.key: a secret of at least 16 characters",
    )
    if settings.kafka.security_protocol.startswith("SASL"):
        for key in ("sasl_mechanism", "sasl_username", "sasl_password"):
            demand(bool(getattr(settings.kafka, key)), f"kafka.{key}: needed with this security_protocol")


def _check_redis(store: Redis, demand: Callable[[bool, str], None]) -> None:
    """The URL is never shown: it may hold a password."""
    wrong = problem(store.url)
    demand(wrong is None, f"redis.url: {wrong}")
    for key in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        demand(
            uses_tls(store.url) or getattr(store, key) is None,
            f"redis.{key}: needs a redis.url with rediss:// or rediss+sentinel://",
        )
    sentinel = uses_sentinel(store.url)
    demand(
        not (sentinel and store.cluster), "redis.cluster: a cluster has no sentinels; name one of its nodes"
    )
    for key in ("sentinel_username", "sentinel_password"):
        demand(
            sentinel or getattr(store, key) is None,
            f"redis.{key}: needs a redis.url with redis+sentinel:// or rediss+sentinel://",
        )
