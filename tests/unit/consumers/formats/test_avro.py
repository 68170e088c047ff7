"""Avro is read with every type of a field, aliases, references, and bytes that do not fit."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from typing import Any

import pytest

from models.schema import Interaction, Item
from tests.support.log.formats import AVRO_EVENT, NOW, KnownSchemas, Topic, avro
from tests.support.log.registry import avro_body, framed, record

FIELDS = {"user_id": "uid", "item_id": "sku", "value": "stars"}
CONFIG: dict[str, Any] = {"format": "avro", "fields": FIELDS, "defaults": {"type": "rating"}}
ITEMS: dict[str, Any] = {"format": "avro", "fields": {"item_id": "sku"}}
ROW = {"uid": "u", "sku": "i", "stars": 4.0}
RATING = Interaction("movies", "rating", "u", "i", NOW, 4.0)


def read(schema: Any, value: Any, **config: Any) -> Any:
    return Topic({1: avro(schema)}, CONFIG | config).event(framed(1, avro_body(schema, value)))


def test_a_record() -> None:
    """Fields are found by name, in the schema that the value was written with."""
    assert read(AVRO_EVENT, ROW) == RATING
    assert read(AVRO_EVENT, ROW | {"stars": None}).reason == "missing_field"
    assert read(AVRO_EVENT, ROW | {"stars": None}, defaults={"type": "click"}) == Interaction(
        "movies", "click", "u", "i", NOW
    )


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        ("int", 7, "7"),
        ("long", 2**40, str(2**40)),
        ("bytes", b"u7", "u7"),
        ({"type": "string", "logicalType": "uuid"}, uuid.UUID(int=7), str(uuid.UUID(int=7))),
        ({"type": "enum", "name": "Users", "symbols": ["ann", "bob"]}, "bob", "bob"),
        (["null", "string"], "u7", "u7"),
    ],
)
def test_ids(kind: Any, given: Any, wanted: str) -> None:
    """Ids are text: numbers in decimal, bytes as UTF-8, symbols and UUIDs unchanged."""
    assert (
        read(
            record("Event", ("uid", kind), ("sku", "string"), ("stars", "int")),
            {**ROW, "uid": given, "stars": 4},
        ).user
        == wanted
    )


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("int", 4),
        ("long", 4),
        ("float", 4.0),
        (["null", "int"], 4),
        ({"type": "bytes", "logicalType": "decimal", "precision": 3, "scale": 1}, decimal.Decimal("4.0")),
    ],
)
def test_values(kind: Any, given: Any) -> None:
    """Any number is a rating."""
    assert (
        read(record("Event", ("uid", "string"), ("sku", "string"), ("stars", kind)), ROW | {"stars": given})
        == RATING
    )


@pytest.mark.parametrize(
    "logical",
    ["timestamp-millis", "timestamp-micros", "local-timestamp-millis", "local-timestamp-micros", ""],
)
def test_times(logical: str) -> None:
    """A time is in ms, for any unit of the schema."""
    kind = {"type": "long", "logicalType": logical} if logical else "long"
    utc = None if logical.startswith("local") else dt.UTC
    given: Any = dt.datetime(2023, 11, 14, 22, 13, 20, 123_000, utc) if logical else NOW + 123
    schema = record("Event", *AVRO_EVENT["fields"], ("timestamp", kind))
    assert read(schema, ROW | {"timestamp": given}).timestamp == NOW + 123


def test_aliases() -> None:
    """A field that was renamed is found by the names that it had, in records inside of records, too."""
    user = record("User", {"name": "number", "type": "long", "aliases": ["no", "uid"]})
    schema = record(
        "Event",
        ("user", ["null", user]),
        {"name": "product", "type": "string", "aliases": ["sku"]},
        ("stars", "int"),
    )
    value = {"user": {"number": 7}, "product": "i", "stars": 4}
    found = read(schema, value, fields={"user_id": "user.no", "item_id": "sku", "value": "stars"})
    assert (found.user, found.item) == ("7", "i")
    assert read(schema, value | {"user": None}, fields={"user_id": "user.no"}).reason == "missing_field"


def test_references() -> None:
    """References between schemas work, as a record and in a union at the top."""
    user = record("User", ("uid", "string"))
    event = record("Event", ("user", "User"), ("sku", "string"), ("stars", "int"))
    value = {"user": {"uid": "u"}, "sku": "i", "stars": 4}
    fields = FIELDS | {"user_id": "user.uid"}
    known = {1: avro(event, User=user), 2: avro(["Event", "User"], User=user, Event=event)}
    topic = Topic(known, CONFIG | {"fields": fields})
    assert topic.event(framed(1, avro_body(event, value, user))) == RATING
    assert topic.event(framed(2, b"\0" + avro_body(event, value, user))) == RATING
    assert topic.event(framed(2, b"\2" + avro_body(user, {"uid": "u"}))).reason == "missing_field"  # type: ignore[union-attr]


def test_items_and_their_keys() -> None:
    """Items have vectors and flags; a tombstone's key is text, a framed id, or a framed record."""
    vectors = {"type": "map", "values": {"type": "array", "items": "float"}}
    schema = record(
        "Item", ("sku", "int"), ("title", "string"), ("available", "boolean"), ("vectors", vectors)
    )
    topic = Topic({1: avro(schema), 2: avro("string"), 3: avro(record("Key", ("sku", "int")))}, items=ITEMS)
    value = {"sku": 7, "title": "Dune", "available": False, "vectors": {"cover": [0.5, 1.0]}}
    found = topic.item(framed(1, avro_body(schema, value)))
    assert found == Item("movies", "7", "Dune", "", available=False, vectors={"cover": (0.5, 1.0)})
    gone = Item("movies", "7", available=False, removed=True)
    keys = [
        b"7",
        framed(2, avro_body("string", "7")),
        framed(3, avro_body(record("Key", ("sku", "int")), {"sku": 7})),
    ]
    assert [topic.item(None, key) for key in keys] == [gone] * 3


def test_debezium() -> None:
    """Debezium's envelope is read: rows before and after, each in a union with null."""
    row = record("Value", ("uid", "long"), ("sku", "long"), ("stars", "double"))
    envelope = record("Envelope", ("before", ["null", row]), ("after", ["null", "Value"]), ("op", "string"))
    topic = Topic({1: avro(envelope)}, CONFIG | {"unwrap": "after"}, ITEMS | {"unwrap": "after"})
    old, new = {"uid": 1, "sku": 2, "stars": 4.0}, {"uid": 1, "sku": 2, "stars": 5.0}
    value = framed(1, avro_body(envelope, {"before": old, "after": new, "op": "u"}))
    assert topic.event(value) == Interaction("movies", "rating", "1", "2", NOW, 5.0)
    value = framed(1, avro_body(envelope, {"before": old, "after": None, "op": "d"}))
    assert topic.item(value) == Item("movies", "2", available=False, removed=True)


def test_numbers_that_are_not_finite() -> None:
    """Unlike JSON, Avro holds NaN: refused as a rating and in a vector, dropped from a context."""
    nan = float("nan")
    context = {"type": "map", "values": "double"}
    schema = record("Event", *AVRO_EVENT["fields"], ("context", context))
    assert read(AVRO_EVENT, ROW | {"stars": nan}).reason == "not_finite"
    assert read(schema, ROW | {"context": {"a": nan, "b": 1.0}}) == read(
        schema, ROW | {"context": {"b": 1.0}}
    )
    vectors = record(
        "Item",
        ("sku", "string"),
        ("vectors", {"type": "map", "values": {"type": "array", "items": "double"}}),
    )
    value = avro_body(vectors, {"sku": "i", "vectors": {"cover": [1.0, nan]}})
    assert Topic({1: avro(vectors)}, items=ITEMS).item(framed(1, value)).reason == "not_finite"  # type: ignore[union-attr]


def test_bytes_that_do_not_fit() -> None:
    """A value that is cut, or has bytes left, is a dead letter, never half a record."""
    topic, body = Topic({1: avro(AVRO_EVENT)}, CONFIG), avro_body(AVRO_EVENT, ROW)
    assert topic.event(framed(1, body)) == RATING
    wrong = [*(body[:n] for n in range(len(body))), body + b"x"]
    assert {topic.event(framed(1, one)).reason for one in wrong} == {"malformed_body"}  # type: ignore[union-attr]


def test_schemas_that_cannot_be_used() -> None:
    """A schema of another kind, or an unusable one, is reported with id and reason; the registry is asked once."""
    known = KnownSchemas(
        {1: avro({"type": "record"}), 2: avro("string")._replace(kind="PROTOBUF"), 4: avro("nobody")}
    )
    topic = Topic(known, CONFIG)
    details = []
    for number in (1, 2, 3, 4):
        letters = {topic.event(framed(number, b"x")) for _ in range(3)}
        (letter,) = letters
        details.append((letter.reason, letter.detail))  # type: ignore[union-attr]
    assert [reason for reason, _ in details] == [
        "unusable_schema",
        "unusable_schema",
        "unknown_schema",
        "unusable_schema",
    ]
    assert details[1][1] == "schema 2: it is PROTOBUF, and the topic's format is AVRO"
    assert details[2][1] == "schema 3: the registry does not have it"
    assert known.asked == 4
