"""Avro, read with the schema that it was written with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import fastavro
from fastavro import schemaless_reader
from fastavro.types import Schema as ParsedSchema

from consumers.events.rejection import Rejected
from consumers.formats.framing import HEAD
from consumers.formats.registry import Schema
from consumers.formats.schemas import Body, UnusableSchema

WHOLE = "whole"
PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
MILLISECONDS = ("timestamp-millis", "local-timestamp-millis")
Renamed = tuple[tuple[str, ...], str, list[str]]
"""A field with aliases: the names above it, its name, and its aliases."""


def compiled(schema: Schema) -> Body:
    """Return the reader of this schema's values. A field gets its name and all its aliases.

    Raises UnusableSchema.
    """
    try:
        written = json.loads(schema.text)
        parsed = _parsed(written, [json.loads(text) for text in schema.references.values()])
    except Exception as error:  # whatever the library finds wrong with a schema
        raise UnusableSchema(f"{type(error).__name__}: {error}") from None
    renamed = list(_renamed(written, ()))

    def body(value: bytes) -> Any:
        stream = BytesIO(value)
        stream.seek(HEAD)
        try:
            found: Any = schemaless_reader(stream, parsed, None)
        except Exception as error:  # the library has no class for bytes that do not fit
            raise Rejected("malformed_body", f"Avro: {type(error).__name__}: {error}") from None
        if left := len(value) - stream.tell():
            raise Rejected("malformed_body", f"Avro: {left:,} bytes are left after the record")
        return found

    if not isinstance(written, dict):
        return lambda value: body(value)[WHOLE]
    return _with_aliases(body, renamed) if renamed else body


def _parsed(written: Any, references: list[Any]) -> ParsedSchema:
    named: dict[str, Any] = {}
    for reference in references:
        fastavro.parse_schema(_plain(reference), named)
    if not isinstance(written, dict):
        # A record of one field has the same bytes; the library keeps the names of other schemas for records only.
        written = {"type": "record", "name": WHOLE, "fields": [{"name": WHOLE, "type": written}]}
    return fastavro.parse_schema(_plain(written), named)


def _plain(schema: Any) -> Any:
    """Return the schema without parts that only cost time.

    Times in milliseconds stay numbers, because dates would be turned back into numbers. A basic type with
    notes, such as `avro.java.string`, is read more slowly than its name alone.
    """
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: value for name, value in schema.items() if (name, value) not in _DROPPED}
    for name in ("type", "items", "values", "fields"):
        if name in kept:
            kept[name] = _plain(kept[name])
    is_basic = "name" not in kept and "logicalType" not in kept and kept.get("type") in PRIMITIVES
    return kept["type"] if is_basic else kept


_DROPPED = [("logicalType", name) for name in MILLISECONDS]


def _renamed(schema: Any, path: tuple[str, ...]) -> Iterator[Renamed]:
    """Yield the fields of records that have aliases, down to records inside of records."""
    if isinstance(schema, list):
        for one in schema:
            yield from _renamed(one, path)
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("type"), dict | list):
        yield from _renamed(schema["type"], path)
    for field in schema.get("fields", []):
        if aliases := field.get("aliases"):
            yield path, field["name"], aliases
        yield from _renamed(field["type"], (*path, field["name"]))


def _with_aliases(body: Body, renamed: list[Renamed]) -> Body:
    """Return a body that also has each renamed field under its former names."""

    def read(value: bytes) -> Any:
        found = body(value)
        for path, name, aliases in renamed:
            at = found
            for step in path:
                at = at.get(step) if isinstance(at, dict) else None
            if isinstance(at, dict) and name in at:
                for alias in aliases:
                    at.setdefault(alias, at[name])
        return found

    return read
