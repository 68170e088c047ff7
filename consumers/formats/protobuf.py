"""Protobuf, read with the schema that it was written with; no compiler is needed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message import DecodeError, Message

from consumers.events.rejection import Rejected
from consumers.formats.framing import message_index
from consumers.formats.proto_file import file_descriptor
from consumers.formats.registry import Schema
from consumers.formats.schemas import Body, UnusableSchema

MAIN = "schema.proto"
WELL_KNOWN = ("any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers")
"""Files of google/protobuf/ that schemas import although no registry has them."""
Plain = Callable[[Any], Any]
"""Makes a plain value of a field's value."""


def compiled(schema: Schema) -> Body:
    """Return the reader of this schema's values: fields by name, enums as names, bytes unchanged.

    A field that is not in the value is there with its default, unless it tells apart whether it was set. An empty
    string counts as not set. Raises UnusableSchema.
    """
    file = _file(schema)
    readers: dict[tuple[int, ...], Callable[[bytes], Any]] = {}

    def body(value: bytes) -> Any:
        path, at = message_index(value)
        read = readers.get(path)
        if read is None:
            read = readers[path] = _reader(_message_at(file, path))
        try:
            return read(value[at:])
        except (DecodeError, RecursionError) as error:
            raise Rejected("malformed_body", f"Protobuf: {error}") from None

    return body


def _file(schema: Schema) -> FileDescriptor:
    """Build the schema and what it imports."""
    pool = descriptor_pool.DescriptorPool()
    texts = schema.references | {MAIN: schema.text}
    files = {name: file_descriptor(name, text) for name, text in texts.items()}
    known = {f"google/protobuf/{name}.proto": name for name in WELL_KNOWN}
    added: set[str] = set()

    def add(name: str) -> None:
        if name in added:
            return
        added.add(name)
        file = files.get(name) or _well_known(known[name])
        there = [one for one in file.dependency if one in files or one in known]
        # An import that the registry lacks matters only if a field needs it: the pool then says which.
        public = [
            there.index(file.dependency[n]) for n in file.public_dependency if file.dependency[n] in there
        ]
        file.dependency[:], file.public_dependency[:] = there, public
        for one in there:
            add(one)
        pool.Add(file)

    try:
        for name in texts:
            add(name)
        return pool.FindFileByName(MAIN)
    except (TypeError, KeyError) as error:
        raise UnusableSchema(f"Protobuf: {error}") from None


def _well_known(name: str) -> descriptor_pb2.FileDescriptorProto:
    module = importlib.import_module(f"google.protobuf.{name}_pb2")
    made = descriptor_pb2.FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(made)
    return made


def _message_at(file: FileDescriptor, path: tuple[int, ...]) -> Descriptor:
    """Return the message that the index names, in the order of the file. Raises Rejected."""
    found: Any = None
    for index in path:
        # A map's entry is a message of its own in the descriptor, but not in the file.
        inside = list(file.message_types_by_name.values()) if found is None else _written(found)
        if not 0 <= index < len(inside):
            shown = ", ".join(map(str, path))
            raise Rejected("malformed_body", f"the message index: the schema has no message [{shown}]")
        found = inside[index]
    return found


def _written(message: Descriptor) -> list[Descriptor]:
    return [one for one in message.nested_types if not one.GetOptions().map_entry]


def _reader(descriptor: Descriptor) -> Callable[[bytes], Any]:
    parse = message_factory.GetMessageClass(descriptor).FromString
    plain = _of_message(descriptor, {})
    return lambda data: plain(parse(data))


def _of_message(descriptor: Descriptor, known: dict[str, Plain]) -> Plain:
    """Return the converter of a message to plain values. known: converters so far; a message may hold itself."""
    name = descriptor.full_name
    if name in known:
        return known[name]
    if (special := _special(name)) is not None:
        return special
    fields: list[tuple[str, bool, bool, Plain | None]] = []

    def read(message: Message) -> dict[str, Any]:
        found = {}
        for field, tells, is_text, convert in fields:
            if tells and not message.HasField(field):
                continue
            value = getattr(message, field)
            if is_text and not value:
                continue
            found[field] = value if convert is None else convert(value)
        return found

    known[name] = read  # before its fields are looked at, as one may hold such a message itself
    fields += _fields(descriptor, known)
    return read


def _fields(
    descriptor: Descriptor, known: dict[str, Plain]
) -> Iterator[tuple[str, bool, bool, Plain | None]]:
    """Yield each field's name, whether it may be missing, whether it is one text that may not, and its converter."""
    for field in descriptor.fields:
        may_miss = field.has_presence and not field.has_default_value
        is_text = field.type == field.TYPE_STRING and not field.has_presence and not field.is_repeated
        yield field.name, may_miss, is_text, _of_field(field, known)


def _of_field(field: FieldDescriptor, known: dict[str, Plain]) -> Plain | None:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        return _of_map(_of_one(entry.fields_by_name["value"], known))
    one = _of_one(field, known)
    return _of_list(one) if field.is_repeated else one


def _of_map(one: Plain | None) -> Plain:
    return dict if one is None else lambda values: {key: one(values[key]) for key in values}


def _of_list(one: Plain | None) -> Plain:
    return list if one is None else lambda values: [one(value) for value in values]


def _of_one(field: FieldDescriptor, known: dict[str, Plain]) -> Plain | None:
    if field.message_type is not None:
        return _of_message(field.message_type, known)
    if field.enum_type is not None:
        # Of two names for a number the first counts.
        names = {value.number: value.name for value in reversed(field.enum_type.values)}
        return lambda number: names.get(number, number)
    return None


def _special(name: str) -> Plain | None:
    """Return the converter of a message that stands for one value: a time in ms, a wrapped value, any JSON."""
    kind = name.removeprefix("google.protobuf.")
    if kind == name:
        return None
    if kind == "Timestamp":
        return lambda message: 1000 * message.seconds + message.nanos // 1_000_000
    if kind.endswith("Value") and kind not in ("Value", "ListValue", "NullValue"):
        return lambda message: message.value
    if kind in ("Struct", "Value", "ListValue"):
        return json_format.MessageToDict  # type: ignore[no-any-return]
    return None
