"""Turn the text of a .proto file into its descriptor, without a compiler.

`protobuf` builds messages from descriptors but does not parse text. What has no part in decoding is left out: services,
extensions, reserved names, and options but for defaults of proto2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from proto_schema_parser import ast
from proto_schema_parser.parser import Parser

from consumers.formats.schemas import UnusableSchema

SCALARS = {
    name.removeprefix("TYPE_").lower(): number
    for name, number in FieldDescriptorProto.Type.items()
    if name not in ("TYPE_GROUP", "TYPE_MESSAGE", "TYPE_ENUM")
}
_CARDINALITY = {
    ast.FieldCardinality.REQUIRED: FieldDescriptorProto.LABEL_REQUIRED,
    ast.FieldCardinality.REPEATED: FieldDescriptorProto.LABEL_REPEATED,
}


def file_descriptor(name: str, text: str) -> FileDescriptorProto:
    """Return the descriptor of the file `name`. Raises UnusableSchema.

    Names of types stay as they are written: the pool of descriptors resolves them by the rules of the language.
    """
    try:
        parsed = Parser(setup_lexer=_be_strict, setup_parser=_be_strict).parse(text)
    except UnusableSchema as error:
        raise UnusableSchema(f"{name}, {error}") from None
    except Exception as error:  # whatever the library raises on a text of another shape
        raise UnusableSchema(f"{name}: {type(error).__name__}: {error}") from None
    if parsed.edition is not None:
        raise UnusableSchema(f'{name}: edition "{parsed.edition}"; proto2 and proto3 are read')
    made = FileDescriptorProto(name=name, syntax=parsed.syntax or "proto2")
    for element in parsed.file_elements:
        if isinstance(element, ast.Package):
            made.package = element.name
        elif isinstance(element, ast.Import):
            if element.public:
                made.public_dependency.append(len(made.dependency))
            made.dependency.append(element.name)
        elif isinstance(element, ast.Message):
            _Message(made.message_type.add(), made.syntax == "proto3").fill(element.name, element.elements)
        elif isinstance(element, ast.Enum):
            _fill_enum(made.enum_type.add(), element)
    return made


class _Strict:
    """Raises the parser's errors. By default the parser prints them and guesses what was meant."""

    def syntaxError(  # noqa: N802  the library's name
        self, _recognizer: Any, _symbol: Any, line: int, column: int, what: str, _error: Any
    ) -> NoReturn:
        raise UnusableSchema(f"line {line}, column {column}: {what[:100]}")

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None  # what it says of ambiguities


def _be_strict(part: Any) -> None:
    part.removeErrorListeners()
    part.addErrorListener(_Strict())


def _fill_enum(made: EnumDescriptorProto, enum: ast.Enum) -> None:
    made.name = enum.name
    for element in enum.elements:
        if isinstance(element, ast.EnumValue):
            made.value.add(name=element.name, number=element.number)
    numbers = [value.number for value in made.value]
    if len(set(numbers)) < len(numbers):
        made.options.allow_alias = True


class _Message:
    """Fills one message."""

    def __init__(self, made: DescriptorProto, proto3: bool) -> None:
        self._made, self._proto3 = made, proto3
        self._optional: list[FieldDescriptorProto] = []
        """Fields of proto3 that are marked as optional: each gets a oneof of its own, after all others."""

    def fill(self, name: str, elements: Iterable[Any]) -> None:
        self._made.name = name
        for element in elements:
            if isinstance(element, ast.Field):
                self._field(element)
            elif isinstance(element, ast.MapField):
                self._map(element)
            elif isinstance(element, ast.Group):
                self._group(element)
            elif isinstance(element, ast.OneOf):
                self._oneof(element)
            elif isinstance(element, ast.Message):
                self._inside(element.name, element.elements)
            elif isinstance(element, ast.Enum):
                _fill_enum(self._made.enum_type.add(), element)
        for field in self._optional:
            field.proto3_optional, field.oneof_index = True, len(self._made.oneof_decl)
            self._made.oneof_decl.add(name=f"_{field.name}")

    def _inside(self, name: str, elements: Iterable[Any]) -> None:
        _Message(self._made.nested_type.add(), self._proto3).fill(name, elements)

    def _field(self, field: ast.Field) -> FieldDescriptorProto:
        made = self._made.field.add(name=field.name, number=field.number)
        made.label = _label(field.cardinality)
        _set_type(made, field.type)
        if self._proto3 and field.cardinality is ast.FieldCardinality.OPTIONAL:
            self._optional.append(made)
        for option in field.options:
            if option.name == "default":
                value = option.value
                made.default_value = str(value).lower() if isinstance(value, bool) else _text(value)
        return made

    def _oneof(self, oneof: ast.OneOf) -> None:
        index = len(self._made.oneof_decl)
        self._made.oneof_decl.add(name=oneof.name)
        for element in oneof.elements:
            if isinstance(element, ast.Field):
                self._field(element).oneof_index = index
            elif isinstance(element, ast.Group):
                self._group(element).oneof_index = index

    def _group(self, group: ast.Group) -> FieldDescriptorProto:
        self._inside(group.name, group.elements)
        made = self._made.field.add(name=group.name.lower(), number=group.number)
        made.label, made.type, made.type_name = _label(group.cardinality), made.TYPE_GROUP, group.name
        return made

    def _map(self, field: ast.MapField) -> None:
        """Add a map as it is encoded: a repeated message of key and value."""
        name = "".join(part.capitalize() for part in field.name.split("_")) + "Entry"
        entry = self._made.nested_type.add(name=name)
        entry.options.map_entry = True
        for number, (part, kind) in enumerate((("key", field.key_type), ("value", field.value_type)), 1):
            made = entry.field.add(name=part, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
            _set_type(made, kind)
        made = self._made.field.add(name=field.name, number=field.number, type_name=name)
        made.label, made.type = made.LABEL_REPEATED, made.TYPE_MESSAGE


def _label(cardinality: ast.FieldCardinality | None) -> Any:
    if cardinality is None:
        return FieldDescriptorProto.LABEL_OPTIONAL
    return _CARDINALITY.get(cardinality, FieldDescriptorProto.LABEL_OPTIONAL)


def _set_type(made: FieldDescriptorProto, name: str) -> None:
    if name in SCALARS:
        made.type = SCALARS[name]
    else:
        made.type_name = name


def _text(value: Any) -> str:
    return str(getattr(value, "name", value))
