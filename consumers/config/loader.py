"""Settings from one TOML file and environment overrides. An unknown key is an error that names its path."""

from __future__ import annotations

import copy
import math
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from consumers.config import kafka_checks as config_kafka
from consumers.config import redis_checks as config_redis
from consumers.config.kafka_checks import split_addresses, unused_credentials
from consumers.config.schema import DomainConfig, Settings
from consumers.errors import Stop

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
    """By key: the variable that set it."""
    for name, text in (environ or {}).items():
        if name.startswith(PREFIX) and "__" in name:
            from_environment[_override(raw, name, text)] = name
    _tidy(raw, [])
    try:
        settings = msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        place, what = _readable(str(error), _bad_domain(raw))
        if (variable := from_environment.get(place)) is not None:
            origin = f"environment {variable}"
        raise Stop(f"{origin}: {place or 'top level'}: {what}") from error
    _read_secret_files(settings, raw, origin, from_environment)
    split_addresses(settings.kafka)
    _check(settings, origin, from_environment, need_domains)
    if "security_protocol" not in raw.get("kafka", {}) and (unused := unused_credentials(settings.kafka)):
        raise Stop(f"{origin}: {unused}")
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
    try:
        table[path[-1]] = _parse(text, kind)
    except ValueError as error:
        raise Stop(f"environment {name}: {'.'.join(path)}: {error}") from error
    return ".".join(path)


def _parse(text: str, kind: Any) -> Any:
    """`text` as TOML, else as it stands; where a string or a list is wanted, `123` stays a string."""
    try:
        parsed = tomllib.loads(f"v = {text}")
    except tomllib.TOMLDecodeError as error:
        if _is_list(kind) and text.lstrip().startswith("["):
            raise ValueError('not a TOML array: write ["a", "b"], or a,b') from error
        return text
    value = parsed["v"]
    if len(parsed) > 1:
        return text
    wanted: tuple[type, ...] = ()
    if _is_list(kind):
        wanted = (str, list)
    elif kind is str or str in get_args(kind):
        wanted = (str,)
    return value if not wanted or isinstance(value, wanted) else text


def _is_list(kind: Any) -> bool:
    return get_origin(kind) in (list, tuple)


def _tidy(table: dict[str, Any], path: list[str]) -> None:
    """`"a, b"` where a list is wanted becomes `["a", "b"]`, and `"1, 5"` numbers where numbers are.

    An empty string for a key that may be missing takes it back: the environment can, of what the file says. Not so
    for a secret that user ids are hidden with: without it they would be kept as they are.
    """
    for key, value in table.items():
        kind = _kind([*path, key])
        if isinstance(value, dict):
            _tidy(value, [*path, key])
        elif isinstance(value, str) and _is_list(kind):
            entries = [entry.strip() for entry in value.split(",")]
            table[key] = [_parse(entry, get_args(kind)[0]) for entry in entries if entry]
        elif value == "" and type(None) in get_args(kind) and path != ["privacy"]:
            table[key] = None


def _read_secret_files(
    settings: Settings, raw: Mapping[str, Any], origin: str, from_environment: Mapping[str, str]
) -> None:
    """Put the content of each `<key>_file` in its key's place. Raises Stop where both are set."""
    for section, owner, key in (
        ("kafka", settings.kafka, "sasl_password"),
        ("redis", settings.redis, "url"),
        ("redis", settings.redis, "password"),
        ("redis", settings.redis, "sentinel_password"),
        ("privacy", settings.privacy, "key"),
    ):
        if file := getattr(owner, f"{key}_file"):
            if raw[section].get(key):
                variables = [from_environment.get(f"{section}.{name}") for name in (key, f"{key}_file")]
                where = "".join(f", environment {name}" for name in variables if name is not None)
                raise Stop(
                    f"{origin}{where}: {section}.{key} and {section}.{key}_file are both set: keep one"
                )
            try:
                setattr(owner, key, Path(file).read_text(encoding="utf-8").strip())
            except OSError as error:
                raise Stop(f"{section}.{key}_file {file}: {error.strerror}") from error
            except UnicodeDecodeError:  # the error itself would show the secret
                raise Stop(f"{section}.{key}_file {file}: not UTF-8 text") from None


def _check(settings: Settings, origin: str, from_environment: Mapping[str, str], need_domains: bool) -> None:
    def demand(holds: bool, message: str) -> None:
        if not holds:
            variable = from_environment.get(message.partition(":")[0])
            raise Stop(f"{f'environment {variable}' if variable else origin}: {message}")

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
    demand(0 <= settings.metrics.port <= 65_535, "metrics.port: must be from 0 (any free one) to 65535")
    demand(0 <= settings.ranker.diversity <= 1, "ranker.diversity: must be in [0, 1]")
    demand(0 < settings.publish.list_share <= 1, "publish.list_share: must be in (0, 1]")
    demand(0 < settings.intake.max_invalid_ratio <= 1, "intake.max_invalid_ratio: must be in (0, 1]")
    demand(
        settings.privacy.key is None or len(settings.privacy.key) >= 16,
        "privacy.key: a secret of at least 16 characters",
    )
    for message in (*config_kafka.problems(settings.kafka), *config_redis.problems(settings.redis)):
        demand(False, message)
    for key in _empty(settings, ""):
        demand(False, f"{key}: it is empty; give it a value or leave it out")


def _empty(table: Any, path: str) -> Iterator[str]:
    """Keys that hold "" and do not say what that means: no canaries, or the default name of a topic."""
    for field in msgspec.structs.fields(table):
        value = getattr(table, field.name)
        if isinstance(value, msgspec.Struct):
            yield from _empty(value, f"{path}{field.name}.")
        elif isinstance(value, dict):
            for name, one in value.items():
                yield from _empty(one, f"{path}{field.name}.{name}.")
        elif value == "" and field.default != "" and field.name != "canary_topic":
            yield f"{path}{field.name}"
