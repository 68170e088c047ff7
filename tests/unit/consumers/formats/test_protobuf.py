"""Protobuf works without a compiler: .proto text becomes messages, and messages become fields."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import message_factory

from consumers.formats import protobuf as body
from consumers.formats.schemas import UnusableSchema
from models.schema import Interaction, Item
from tests.support.log.formats import NOW, PROTOBUF_EVENT, Topic, protobuf
from tests.support.log.registry import framed

CONFIG: dict[str, Any] = {
    "format": "protobuf",
    "fields": {"user_id": "user.number", "item_id": "sku", "value": "stars"},
}
ROW: dict[str, Any] = {"user": {"number": 7}, "sku": "i", "stars": 4.0, "type": "rating"}
SECOND = b"\2\2"
"""The message index of Event."""


def message(schema: Any, name: str, **fields: Any) -> bytes:
    file = body._file(schema)
    found: Any = message_factory.GetMessageClass(file.message_types_by_name[name])(**fields)
    return bytes(found.SerializeToString())


def read(**fields: Any) -> Any:
    schema = protobuf(PROTOBUF_EVENT)
    return Topic({1: schema}, CONFIG).event(framed(1, message(schema, "Event", **fields), SECOND))


def test_a_message() -> None:
    """Enums are names, numbers may be ids, messages may be nested, and unset fields count as missing."""
    assert read(**ROW) == Interaction("movies", "rating", "7", "i", NOW, 4.0)
    assert read(**ROW, event_id="e", timestamp=NOW - 5, context={"device": "tv"}).context
    assert read(**ROW, timestamp=NOW - 5).timestamp == NOW - 5
    assert read(**(ROW | {"type": "click"})) == Interaction("movies", "click", "7", "i", NOW)
    assert read(**(ROW | {"type": "KIND_UNKNOWN"})).reason == "unknown_type"
    assert read(sku="i", type="click").detail.endswith("looked for at user.number")
    assert read(user={}, type="click").reason == "missing_field"


def test_a_rating_of_zero_is_one() -> None:
    """In proto3 `optional` tells a rating of 0 from none; without it an unset rating is 0."""
    assert read(**(ROW | {"stars": 0.0})).reason == "out_of_range"
    no_stars = {name: value for name, value in ROW.items() if name != "stars"}
    assert read(**no_stars).reason == "missing_field"
    schema = protobuf(
        'syntax = "proto3"; message E { string user_id = 1; string item_id = 2; int32 value = 3; string type = 4; }'
    )
    topic = Topic({1: schema}, {"format": "protobuf"})
    assert (
        topic.event(framed(1, message(schema, "E", user_id="u", item_id="i", type="rating"), b"\0")).reason
        == "out_of_range"
    )  # type: ignore[union-attr]


def test_every_kind_of_field() -> None:
    """Messages for times and wrapped values become the values that they stand for."""
    schema = protobuf(PROTOBUF_EVENT)
    value = message(
        schema,
        "Event",
        at={"seconds": 5, "nanos": 7_000_000},
        wrapped={"value": 0.5},
        friends=[{"mail": "a@b"}],
        blob=b"x",
    )
    plain = body.compiled(schema)(framed(1, value, SECOND))
    assert plain == {
        "type": "KIND_UNKNOWN",
        "context": {},
        "timestamp": 0,
        "at": 5007,
        "wrapped": 0.5,
        "friends": [{"number": 0, "mail": "a@b"}],
        "blob": b"x",
    }


def test_the_message_index() -> None:
    """The first message has the index 0, others their place in the file, without the entries of maps."""
    schema = protobuf(PROTOBUF_EVENT)
    compiled = body.compiled(schema)
    assert compiled(framed(1, message(schema, "Other", x="a"), b"\0")) == {"x": "a"}
    assert compiled(framed(1, b"\x08\x07", b"\4\2\0")) == {"number": 7}
    assert compiled(framed(1, b"\x08\x07", b"\6\2\0\0")) == {"x": 7}
    topic = Topic({1: schema}, CONFIG)
    for index in (b"\2\4", b"\4\2\2", b"\2\1"):
        assert topic.event(framed(1, b"", index)).reason == "malformed_body"  # type: ignore[union-attr]


def test_proto2() -> None:
    """Proto2 is read: required fields, groups, and defaults of unset fields; extensions are ignored."""
    schema = protobuf("""
        syntax = "proto2";
        message Event {
          required string user_id = 1; required string item_id = 2;
          optional double value = 3 [default = 2.5]; optional Kind type = 4 [default = rating];
          optional bool flag = 5 [default = true]; optional int32 none = 6;
          repeated group Part = 7 { optional string name = 1; }
          extensions 100 to max;
          enum Kind { click = 1; rating = 2; }
        }
        extend Event { optional string more = 100; }
        """)
    value = message(schema, "Event", user_id="u", item_id="i", part=[{"name": "a"}])
    plain = body.compiled(schema)(framed(1, value, b"\0"))
    assert plain == {
        "user_id": "u",
        "item_id": "i",
        "value": 2.5,
        "type": "rating",
        "flag": True,
        "part": [{"name": "a"}],
    }
    assert Topic({1: schema}, {"format": "protobuf"}).event(framed(1, value, b"\0")) == Interaction(
        "movies", "rating", "u", "i", NOW, 2.5
    )


def test_a_message_that_holds_itself() -> None:
    """Messages that hold themselves are read to their leaves."""
    schema = protobuf('syntax = "proto3"; message Tree { string item_id = 1; repeated Tree below = 2; }')
    value = message(schema, "Tree", item_id="a", below=[{"item_id": "b"}])
    assert body.compiled(schema)(framed(1, value, b"\0")) == {
        "item_id": "a",
        "below": [{"item_id": "b", "below": []}],
    }
    assert Topic({1: schema}, items={"format": "protobuf"}).item(framed(1, value, b"\0")) == Item(
        "movies", "a"
    )


def test_imports() -> None:
    """References are found by import name, also through public imports; unneeded ones may be missing."""
    money = 'syntax = "proto3"; package shop; message Money { double amount = 1; }'
    through = 'syntax = "proto3"; import public "money.proto";'
    main = """
        syntax = "proto3"; package shop.v2;
        import "through.proto"; import "confluent/meta.proto";
        message Event { string user_id = 1; string item_id = 2; Money value = 3; string type = 4; }"""
    schema = protobuf(main, **{"money.proto": money, "through.proto": through})
    value = message(schema, "Event", user_id="u", item_id="i", type="rating", value={"amount": 4})
    topic = Topic({1: schema}, {"format": "protobuf", "fields": {"value": "value.amount"}})
    assert topic.event(framed(1, value, b"\0")) == Interaction("movies", "rating", "u", "i", NOW, 4.0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("message {", "schema.proto, line 1, column 8: mismatched input"),
        ('edition = "2023"; message A { string x = 1; }', "edition"),
        ('syntax = "proto3"; message A { Nobody x = 1; }', "couldn't resolve name 'Nobody'"),
        ('syntax = "proto3"; message A { string x = 1; string y = 1; }', "duplicate field number"),
    ],
)
def test_schemas_that_cannot_be_used(text: str, why: str) -> None:
    """The error says what is wrong with the schema."""
    with pytest.raises(UnusableSchema) as caught:
        body.compiled(protobuf(text))
    assert why.lower() in str(caught.value).lower()
