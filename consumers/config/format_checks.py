"""Check how topics are read: fields that exist, paths that can be, a registry where one is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from consumers.config.formats import NAMES, TYPES, SchemaRegistryConfig, TopicConfig
from consumers.config.schema import DomainConfig, Settings

NEED_REGISTRY = ("avro", "protobuf")


def problems(key: str, domain: DomainConfig, settings: Settings) -> Iterator[str]:
    """Yield a line for each problem of a domain's topics, which begins with its key. key: that of the domain."""
    yield from _topic_problems(
        f"{key}.interactions", domain.interactions, "interactions", settings.schema_registry
    )
    yield from _topic_problems(f"{key}.items", domain.items, "items", settings.schema_registry)
    yield from _type_problems(f"{key}.interactions.types", domain.interactions, settings.events)


def _topic_problems(key: str, topic: TopicConfig, kind: str, registry: SchemaRegistryConfig) -> Iterator[str]:
    if topic.format in NEED_REGISTRY and not registry.url:
        yield f"schema_registry.url: needed with {key}.format = {topic.format!r}"
    if topic.unwrap and not _is_path(topic.unwrap):
        yield f"{key}.unwrap: {topic.unwrap!r} is no path: write names with dots between them, as in payload.after"
    for table in ("fields", "defaults"):
        for name in getattr(topic, table):
            if name not in NAMES[kind]:
                yield f"{key}.{table}.{name}: no field of {kind}, which has {', '.join(NAMES[kind])}"
    for name in topic.fields:
        if not topic.paths(name):
            yield f"{key}.fields.{name}: name at least one path"
        for path in topic.paths(name):
            if not _is_path(path.removeprefix("$.")):
                yield f"{key}.fields.{name}: {path!r} is no path: write names with dots between them, as in user.id"
    if topic.types and kind == "items":
        yield f"{key}.types: for interactions only"


def _type_problems(key: str, topic: TopicConfig, own: Iterable[str]) -> Iterator[str]:
    """Yield problems of the names of types. own: the types of [events]."""
    meanings = (*TYPES, *own)
    for name, meant in topic.types.items():
        if meant not in meanings:
            yield f"{key}.{name}: {meant!r} is none of {', '.join(meanings)}; a type of your own must be in [events]"


def _is_path(text: str) -> bool:
    return all(text.split("."))


def registry_problems(registry: SchemaRegistryConfig) -> Iterator[str]:
    """Yield a line for each problem of the registry's keys."""
    if registry.url is not None:
        yield from _url_problems(registry.url)
    if registry.username and not registry.password:
        yield "schema_registry.password: needed with schema_registry.username"
    if registry.password and not registry.username:
        yield "schema_registry.username: needed with schema_registry.password"
    if registry.ssl_cafile and not Path(registry.ssl_cafile).is_file():
        yield f"schema_registry.ssl_cafile: there is no file {registry.ssl_cafile}"


def _url_problems(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        yield "schema_registry.url: not a URL; write http://host:port"
        return
    if "@" in parts.netloc:
        yield "schema_registry.url: leave user and password out of it; they are schema_registry.username and password"
    elif parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.query:
        yield "schema_registry.url: write http://host:port or https://host:port, with a path if there is one"
