"""Load the settings from a TOML file and environment overrides. An unknown key is an error that names its path."""

from __future__ import annotations

import copy
import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from consumers.config.checks import Needs, problems
from consumers.config.experiments.keys import ExperimentConfig
from consumers.config.kafka_checks import split_addresses, unused_credentials
from consumers.config.schema import DomainConfig, Settings
from consumers.config.secret_file import read_secret
from consumers.errors import Stop
from models.settings import EventType

PREFIX = "CROSSCURRENT_"
TYPES = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "datetime": "a date and time such as 2026-12-01T08:00:00Z",
}
"""What msgspec's names of types mean."""


def load(
    path: Path | None,
    environ: Mapping[str, str] | None = None,
    need_domains: bool = True,
    need_index: bool = True,
) -> Settings:
    """Read `path` (None: defaults only), apply the environment, validate.

    Raises Stop with exit code 2 and the path of the offending key.
    """
    raw: dict[str, Any] = {}
    if path is not None:
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise Stop(f"config {path}: {error.strerror}. crosscurrent init writes one.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Stop(f"config {path}: not valid TOML: {error}") from error
    environ = os.environ if environ is None else environ
    return build(raw, environ, str(path or "defaults"), need_domains, need_index)


def load_for_all(path: Path | None, need_domains: bool = True) -> Settings:
    """Read a config as `load` does, for a command that is none of the shards, so that it needs no index."""
    return load(path, {**os.environ, f"{PREFIX}SHARDS__INDEX": "0"}, need_domains)


def load_for_check(path: Path | None) -> Settings:
    """Read a config as `load` does. If it tells no index of a shard, `shards.own()` is -1: no single shard's."""
    settings = load(path, need_index=False)
    if settings.shards.several and not 0 <= settings.shards.own() < settings.shards.count:
        settings.shards.index = -1
    return settings


def build(
    raw: dict[str, Any],
    environ: Mapping[str, str] | None = None,
    origin: str = "config",
    need_domains: bool = True,
    need_index: bool = True,
) -> Settings:
    """Make settings from a plain dict and environment overrides; see `load`."""
    raw = copy.deepcopy(raw)
    from_environment: dict[str, str] = {}
    """By key, the environment variable that set it."""
    for name, text in (environ or {}).items():
        if name.startswith(PREFIX) and "__" in name:
            from_environment[_override(raw, name, text)] = name
    _tidy(raw, [])
    try:
        settings = msgspec.convert(raw, Settings)
    except msgspec.ValidationError:
        wrong = [f"{place or 'top level'}: {what}" for place, what in _misfits(raw)]
        raise Stop(_all(wrong, origin, from_environment)) from None
    _read_secret_files(settings, raw, origin, from_environment)
    split_addresses(settings.kafka)
    _fill_topics(settings)
    _check(settings, origin, from_environment, Needs(need_domains, need_index))
    if "security_protocol" not in raw.get("kafka", {}) and (unused := unused_credentials(settings.kafka)):
        raise Stop(f"{origin}: {unused}")
    return settings


def _misfits(raw: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each key that is unknown or of a wrong type, and what is wrong with it. They are removed from `raw`."""
    while True:
        try:
            msgspec.convert(raw, Settings)
            return
        except msgspec.ValidationError as error:
            place, what = _readable(str(error), raw)
        yield place, what
        *path, key = re.sub(r"\[\d+\]$", "", place).split(".")
        table: Any = raw
        for name in path:
            table = table.get(name) if isinstance(table, dict) else None
        if not isinstance(table, dict) or key not in table:
            return  # the other faults cannot be seen behind this one
        del table[key]


def _all(messages: Iterable[str], origin: str, from_environment: Mapping[str, str]) -> str:
    """Return a line for each message, with the file or the variable that it comes from."""
    lines = []
    for message in messages:
        variable = from_environment.get(message.partition(":")[0])
        lines.append(f"{f'environment {variable}' if variable else origin}: {message}")
    return "\n".join(lines)


def _bad_entry(table: Any, kind: type[msgspec.Struct]) -> str:
    """Return the name of the first entry that is not well-formed. msgspec's path shows `[...]` instead of it."""
    for name, entry in table.items() if isinstance(table, dict) else ():
        try:
            msgspec.convert(entry, kind)
        except msgspec.ValidationError:
            return str(name)
    return ""


def _readable(message: str, raw: Mapping[str, Any]) -> tuple[str, str]:
    """Turn msgspec's message into (key, what is wrong with it).

    `Object contains unknown field `x` - at `$.kafka`` becomes (`kafka.x`, `unknown key`).
    """
    text, _, where = message.partition(" - at `$")
    place = where.rstrip("`").lstrip(".")
    for name, kind in (("domains", DomainConfig), ("events", EventType), ("experiments", ExperimentConfig)):
        if place.startswith(f"{name}[...]"):
            place = f"{name}.{_bad_entry(raw.get(name), kind)}{place.removeprefix(f'{name}[...]')}"
    place = place.replace("[...]", "")
    if unknown := re.match(r"Object contains unknown field `(.*)`", text):
        key = f"{place + '.' if place else ''}{unknown[1]}"
        return key, _unknown(key.split("."))
    if text.startswith("Invalid enum value"):
        kind = _kind(place.split("."))
        literals = [one for one in (kind, *get_args(kind)) if get_origin(one) is Literal]
        choices = ", ".join(choice for one in literals for choice in get_args(one))
        return place, f"{text.removeprefix('Invalid enum value ')} is none of {choices}"
    if text.startswith("Invalid RFC3339"):
        return place, f"must be {TYPES['datetime']}"
    if wrong := re.match(r"Expected `(.*?)`(.*), got `?(.*?)`?$", text):
        wanted = " or ".join(TYPES.get(name, name) for name in wrong[1].split(" | ") if name != "null")
        return place, f"must be {wanted}{wrong[2]}, not {TYPES.get(wrong[3], wrong[3])}"
    return place, text


def _unknown(path: list[str]) -> str:
    """Say that there is no such key, and which one is like it."""
    table = _kind(path[:-1])
    if not (isinstance(table, type) and issubclass(table, msgspec.Struct)):
        return "unknown key"
    names = [field.encode_name for field in msgspec.structs.fields(table)]
    like = difflib.get_close_matches(path[-1], names, 1)
    return "unknown key" + "".join(f"; did you mean {name}?" for name in like)


def _kind(path: list[str]) -> Any:
    """Return the type of a key; None if there is no such key."""
    kind: Any = Settings
    for key in path:
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            named = {field.encode_name: field.name for field in msgspec.structs.fields(kind)}
            if key not in named:
                return None
            kind = get_type_hints(kind)[named[key]]
        else:
            return None
    return kind


def _override(raw: dict[str, Any], name: str, text: str) -> str:
    """Set the value of the variable; return the key's path. Raises Stop."""
    path = name.removeprefix(PREFIX).lower().split("__")
    if (kind := _kind(path)) is None:
        raise Stop(f"environment {name}: {'.'.join(path)}: {_unknown(path)}")
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
    """Read `text` as TOML, or take it as it is. If a string or a list is wanted, `123` stays a string."""
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
    """Split `"a, b"` into `["a", "b"]` if a list is wanted, and `"1, 5"` into numbers if a list of numbers is.

    An empty string removes an optional key, so that the environment can undo what the file sets. It does not remove
    `privacy.key`: without the key, user ids would stay as they are.
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
    """Put the content of each `<key>_file` in its key's place. Raises Stop if both are set."""
    for section, owner, key in (
        ("kafka", settings.kafka, "sasl_password"),
        ("redis", settings.redis, "url"),
        ("redis", settings.redis, "password"),
        ("redis", settings.redis, "sentinel_password"),
        ("schema_registry", settings.schema_registry, "password"),
        ("text_encoder", settings.text_encoder, "api_key"),
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
                setattr(owner, key, read_secret(file))
            except OSError as error:
                raise Stop(f"{section}.{key}_file {file}: {error.strerror}") from error
            except ValueError as error:
                raise Stop(f"{section}.{key}_file {file}: {error}") from None


def _fill_topics(settings: Settings) -> None:
    """Name the topics of domains whose config does not name them."""
    for name, domain in settings.domains.items():
        domain.interactions_topic = domain.interactions_topic or f"interactions.{name}"
        domain.items_topic = domain.items_topic or f"items.{name}"


def _check(settings: Settings, origin: str, from_environment: Mapping[str, str], needs: Needs) -> None:
    """Raise Stop with all problems, and the file or the variable that each comes from."""
    if found := list(problems(settings, needs)):
        raise Stop(_all(found, origin, from_environment))
