"""Read one record of each topic as `run` would. Show how it is understood, or why it would be a dead letter."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from consumers.cli.finding import Finding
from consumers.config.formats import NAMES
from consumers.config.schema import Settings
from consumers.events.decode import Decoded
from consumers.events.record import Record
from consumers.events.rejection import Rejected, Rejection, when, word
from consumers.formats.registry import Registry, SchemaUnavailable
from consumers.formats.topic_reader import TopicReader, decoder_of, topic_readers
from consumers.kafka_client.newest import newest_records
from consumers.terminal.plain_text import harmless
from models.schema import Impression, Interaction, Item


def check_registry(settings: Settings) -> Iterator[Finding]:
    """Find out whether the registry answers, if there is one."""
    if not settings.schema_registry.url:
        return
    try:
        Registry(settings.schema_registry).ping()
    except SchemaUnavailable as error:
        yield Finding("schema registry", False, str(error))
    else:
        yield Finding("schema registry", True, f"{settings.schema_registry.url} answers")


def check_records(settings: Settings, there: Iterable[str]) -> Iterator[Finding]:
    """Show the newest record of each topic of interactions or items that is there. Raises KafkaError."""
    registry = Registry(settings.schema_registry)
    decoder, readers = decoder_of(settings, registry=registry), topic_readers(settings, registry)
    formats = {topic: how.format for topic, _, how in settings.topic_formats()}
    for topic, record in newest_records(settings.kafka, [name for name in formats if name in there]):
        what = f"newest record of {topic}"
        if record is None:
            yield Finding(what, True, "there is none yet")
            continue
        where = f"{formats[topic]}, partition {record.partition}, offset {record.offset}"
        try:
            decoded = decoder.decode(record)
        except SchemaUnavailable as error:
            yield Finding(what, False, f"{where}: {error}")
            continue
        names = unused(record, readers)
        left = f"; not used: {', '.join(names)}" if names else ""
        text = harmless(f"{where}: {told(decoded, record)}{left}").replace("\n", " ")
        yield Finding(what, True, text, warns=isinstance(decoded, Rejection))


def parsed(value: bytes | None) -> Any:
    """Return what a value holds; None if it is not JSON."""
    try:
        return json.loads(value or b"")
    except (ValueError, RecursionError):
        return None


def unused(record: Record, readers: Mapping[str, TopicReader]) -> list[str]:
    """Return the names of fields of a record that nothing reads; none if it cannot be read.

    readers: of the topics that are not JSON as the contract defines it.
    """
    if (reader := readers.get(record.topic)) is not None:
        try:
            return reader.unused(record)
        except (Rejected, SchemaUnavailable):
            return []
    value = parsed(record.value)
    return sorted(set(value) - {*NAMES["interactions"], *NAMES["items"]}) if isinstance(value, dict) else []


def told(decoded: Decoded, record: Record, no_time: str = "the record's own") -> str:
    """Say how a record was understood. no_time: what a time is called that the event does not give."""
    if isinstance(decoded, Rejection):
        return f"would be a dead letter: {decoded.reason}: {decoded.detail}"
    if isinstance(decoded, Interaction):
        value = "" if decoded.value is None else f", value {decoded.value:g}"
        context = f", {len(decoded.context)} of context" if decoded.context else ""
        answers = "" if decoded.impression is None else f", impression {word(decoded.impression)}"
        ids = f"user_id {word(decoded.user)}, item_id {word(decoded.item)}"
        event = f"{_told_id(decoded)}{answers}{context}"
        return f"{_told_type(decoded)}, {ids}{value}{event}, {_told_time(decoded, record, no_time)}"
    if isinstance(decoded, Impression):
        shown = "1 item" if len(decoded.items) == 1 else f"{len(decoded.items)} items"
        of_list = "" if decoded.list_ts is None else f", list_ts {when(decoded.list_ts)}"
        said = f"user_id {word(decoded.user)}, first {word(decoded.items[0])}{_told_id(decoded)}{of_list}"
        return f"impression of {shown}, {said}, {_told_time(decoded, record, no_time)}"
    if isinstance(decoded, Item):
        return _told_item(decoded)
    return "says that a row was deleted: skipped"


def _told_id(event: Interaction | Impression) -> str:
    return "" if event.event_id is None else f", event_id {word(event.event_id)}"


def _told_time(event: Interaction | Impression, record: Record, no_time: str) -> str:
    own = "" if event.timestamp != record.timestamp else f", {no_time}"
    return f"timestamp {when(event.timestamp)}{own}"


def _told_type(event: Interaction) -> str:
    return f"{word(event.own_type)} (a {event.kind})" if event.own_type else event.kind


def _told_item(item: Item) -> str:
    if item.removed:
        return f"removes item_id {word(item.item_id)}"
    texts = f"title {word(item.title)}, text of {len(item.text):,} characters"
    vectors = f", vectors {', '.join(map(word, item.vectors))}" if item.vectors else ""
    gone = "" if item.available else ", not available"
    return f"item_id {word(item.item_id)}, {texts}{vectors}{gone}"
