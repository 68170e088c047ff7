"""Parse the value of a record into the fields of the contract: from JSON bytes, or from what another format held."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn, TypeVar

import msgspec

from consumers.events.fields import (
    NUMBERED,
    ImpressionFields,
    InteractionFields,
    ItemFields,
)
from consumers.events.record import Record
from consumers.events.rejection import ID_LIMIT, Rejected, found, of_validation
from consumers.events.second_look import entries, entries_of, field_in, needed, usable

Read = Callable[[Record], Any]
"""Reads the fields of the contract from a record: `InteractionFields`, `ImpressionFields` or `ItemFields`, as its topic
holds.

Raises Rejected, RowDeleted, or SchemaUnavailable if it cannot be read now.
"""
KEY = f"1 to {ID_LIMIT} characters"
_Fields = TypeVar("_Fields", bound=InteractionFields | ImpressionFields | ItemFields)
_NO_TYPES: Mapping[str, type[Any]] = {}


class RowDeleted(Exception):
    """The record says that something is gone. item_id: which item, in a topic of items."""

    def __init__(self, item_id: str = "") -> None:
        super().__init__(item_id)
        self.item_id = item_id


class _Typed(msgspec.Struct):
    type: str = ""


_typed = msgspec.json.Decoder(_Typed)


def json_reader(
    kind: type[Any], null: Callable[[Record], Any], of_type: Mapping[str, type[Any]] = _NO_TYPES
) -> Read:
    """Return the reader of JSON as the contract defines it.

    null: is called for a record without a value. of_type: what records of some types hold instead of `kind`. They lack
    a field that `kind` needs, so that records of `kind` are decoded at once.
    """
    decoder = msgspec.json.Decoder(kind)
    decode = decoder.decode
    others = {name: json_reader(other, null) for name, other in of_type.items()}

    def read(record: Record) -> Any:
        value = record.value
        if value is None:
            return null(record)
        try:
            value.isascii() or value.decode()  # msgspec does not check the strings that it skips
            fields = decode(value)
        except UnicodeDecodeError as error:
            raise Rejected("not_utf8", f"the record: byte {error.start} is not UTF-8") from None
        except (msgspec.DecodeError, RecursionError) as error:
            if others and (other := others.get(_type_in(value))) is not None:
                return other(record)
            return _again(decoder, value, error)
        return others[fields.type](record) if others and fields.type in others else fields

    return read


def no_value(_record: Record) -> NoReturn:
    """Refuse a record without a value."""
    raise Rejected("null_value", "the record: it has no value")


def key_is_gone(record: Record) -> NoReturn:
    """Report that an item is gone. Its id is the record's key."""
    raise RowDeleted(text_key(record))


def text_key(record: Record) -> str:
    """Return a key that is text. Raises Rejected."""
    if record.key is None:
        raise Rejected("null_value", "the record: it has neither key nor value")
    try:
        return record.key.decode()
    except UnicodeDecodeError:
        raise Rejected("bad_id", found("the record's key", "bytes that are not UTF-8", KEY)) from None


def _type_in(value: bytes) -> str:
    """Return the type that a refused record names, "" without one."""
    try:
        return _typed.decode(value).type
    except (msgspec.DecodeError, RecursionError):
        named = field_in(value, "type")
        return named if isinstance(named, str) else ""


def _again(decoder: msgspec.json.Decoder[Any], value: bytes, error: Exception) -> Any:
    """Decode a record that the fast decoder refuses."""
    try:
        if isinstance(error, msgspec.ValidationError) and "out of range" not in str(error):
            raise error
        return decoder.decode(needed(value, decoder.type.__struct_fields__, error))
    except msgspec.ValidationError as wrong:
        raise of_validation(str(wrong), partial(entries, value), decoder.type in NUMBERED) from None
    except (msgspec.DecodeError, RecursionError) as malformed:
        raise Rejected("malformed_json", f"the record: {malformed}") from None


def of_plain(kind: type[_Fields], plain: dict[str, Any]) -> _Fields:
    """Make the fields of the contract from plain values by name, whose whole numbers are ids. Raises Rejected."""
    try:
        return msgspec.convert(usable(plain), kind)
    except msgspec.ValidationError as wrong:
        raise of_validation(str(wrong), partial(entries_of, plain), any_ids=True) from None
