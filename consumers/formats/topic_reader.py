"""Put together the reader of each topic: framing, body, mapping, fields of the contract."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, NoReturn

from consumers.config.formats import TopicConfig
from consumers.config.schema import Settings
from consumers.events.decode import Decoder
from consumers.events.fields import ImpressionFields, InteractionFields, ItemFields
from consumers.events.parse import KEY, RowDeleted, no_value, of_plain, text_key
from consumers.events.record import Record
from consumers.events.rejection import Rejected, found
from consumers.events.rules import IMPRESSION, rules_of
from consumers.formats import avro, framing, json_body, mapping, protobuf
from consumers.formats.registry import Registry
from consumers.formats.schemas import Body, Schemas

Kind = Literal["interactions", "items"]
Fields = InteractionFields | ImpressionFields | ItemFields


class Way(NamedTuple):
    """How records of one kind are read: what they hold, and where it is found."""

    fields: type[Fields]
    mapping: mapping.FieldMapping


FIELDS: dict[Kind, type[Fields]] = {"interactions": InteractionFields, "items": ItemFields}


def topic_readers(settings: Settings, registry: Registry) -> dict[str, TopicReader]:
    """Return the readers of topics that are not JSON as the contract defines it. No registry is asked yet."""
    bodies = bodies_of(registry)
    return {
        topic: TopicReader(config, kind, bodies[config.format])
        for topic, kind, config in settings.topic_formats()
        if not config.is_contract
    }


def decoder_of(
    settings: Settings, clock: Callable[[], float] = time.time, registry: Registry | None = None
) -> Decoder:
    """Return the decoder of all topics of the config.

    clock: seconds since the epoch. registry: by default that of the config.
    """
    ids = settings.privacy.ids()
    readers = topic_readers(settings, registry or Registry(settings.schema_registry))
    return Decoder(settings.topics(), settings.domain_list(), rules_of(settings), ids, clock, readers)


def bodies_of(registry: Registry) -> dict[str, Body]:
    """Return the function that turns bytes into plain values, by format. Topics of one format share their schemas."""
    return {
        "json": json_body.parse,
        "json_schema": _framed_json,
        "avro": Schemas(registry, "AVRO", avro.compiled).read,
        "protobuf": Schemas(registry, "PROTOBUF", protobuf.compiled).read,
    }


def _framed_json(value: bytes) -> Any:
    """Parse framed JSON. Its schema describes it but is not needed to read it, so no registry is asked."""
    framing.schema_id(value)
    return json_body.parse(value[framing.HEAD :])


class TopicReader:
    """Reads the records of one topic into the fields of the contract (`Read`).

    It raises SchemaUnavailable if the registry cannot give a needed schema now.
    """

    def __init__(self, config: TopicConfig, kind: Kind, body: Body) -> None:
        self._body = body
        self._is_items, self._unwraps = kind == "items", bool(config.unwrap)
        self._way = Way(FIELDS[kind], mapping.mapping_of(config, kind))
        self._shown = Way(ImpressionFields, mapping.mapping_of(config, "impressions"))
        self._deleted = mapping.mapping_of_deleted(config)
        self._of_key = mapping.mapping_of_key(config)
        self._framed = config.format != "json"
        self._drop_zero_time = config.format == "protobuf"

    def __call__(self, record: Record) -> Fields:
        """Return the fields. Raises Rejected, RowDeleted or SchemaUnavailable."""
        if record.value is None:
            return self._gone(record, None)
        value, way = self._body(record.value), self._way
        part = way.mapping.part(value)
        if part is None:
            return self._gone(record, value)
        picked, typed = way.mapping.fields(value, part)
        if picked.get("type") == IMPRESSION:  # items have no type
            way = self._shown
            picked, typed = way.mapping.fields(value, part)
        if self._drop_zero_time:
            _drop_zero_times(picked)
        if typed:
            try:
                return way.fields(**picked)
            except TypeError:  # a needed field is missing
                pass
        return self._checked(way, picked)

    def unused(self, record: Record) -> list[str]:
        """Return the names of fields that nothing reads. Raises Rejected or SchemaUnavailable."""
        value = None if record.value is None else self._body(record.value)
        part = None if value is None else self._way.mapping.part(value)
        if part is None:
            return []
        shown = part if self._is_items else self._shown.mapping.unused(part)
        return sorted(map(str, self._way.mapping.unused(part).intersection(shown)))

    def _checked(self, way: Way, picked: dict[str, Any]) -> Fields:
        """Return the fields after a look at their types. Raises Rejected."""
        try:
            return of_plain(way.fields, picked)
        except Rejected as rejected:
            if rejected.reason != "missing_field":
                raise
            name = rejected.detail.partition(":")[0]
            place = way.mapping.place(name)
            raise Rejected("missing_field", f"{rejected.detail}; looked for at {place}") from None

    def _gone(self, record: Record, value: Any) -> NoReturn:
        """Report a deleted row. Raises RowDeleted, Rejected or SchemaUnavailable.

        value: None for a record without one.
        """
        if self._is_items:
            raise RowDeleted(self._row_deleted(value) or self._id_of_key(record))
        if self._unwraps:
            raise RowDeleted
        no_value(record)

    def _row_deleted(self, value: Any) -> str | None:
        """Return the id of the deleted row; None if the value does not have it."""
        if value is None:
            return None
        try:
            part = self._deleted.part(value)
        except Rejected:
            return None
        return None if part is None else self._deleted.fields(value, part)[0].get("item_id")

    def _id_of_key(self, record: Record) -> str:
        """Return the item's id from the key: text, or a record of its own. Raises Rejected or SchemaUnavailable."""
        if record.key is None:
            raise Rejected(
                "null_value", "the record: it says that an item is gone, but not which, and has no key"
            )
        if self._framed and framing.is_framed(record.key):
            value = self._body(record.key)
        elif record.key.startswith(b"{"):
            value = json_body.parse(record.key)
        else:
            return text_key(record)
        if isinstance(value, dict):
            value = self._of_key.fields(value, value)[0].get("item_id")
        if not isinstance(value, str):
            raise Rejected("bad_id", found("the record's key", "no item_id", KEY))
        return value


def _drop_zero_times(picked: dict[str, Any]) -> None:
    """Drop times of 0: in Protobuf 0 may stand for a field that was not set."""
    for name in ("timestamp", "list_ts"):
        if not picked.get(name, 1):
            del picked[name]
