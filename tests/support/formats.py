"""Decoders of topics that are not JSON as the contract has it, without a registry: its answers are in a dict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from consumers.config.formats import SchemaRegistryConfig
from consumers.config.loader import build
from consumers.events.decode import Decoded, Decoder
from consumers.events.record import Record
from consumers.formats.registry import Registry, Schema, UnknownSchema
from consumers.formats.topic_reader import TopicReader, bodies_of

NOW = 1_700_000_000_000
CLOCK = NOW / 1000 + 86_400.0


class KnownSchemas(Registry):
    """Answers from a dict; `asked` counts how often."""

    def __init__(self, schemas: Mapping[int, Schema]) -> None:
        super().__init__(SchemaRegistryConfig(url="http://registry:8081"))
        self.schemas, self.asked = dict(schemas), 0

    def schema(self, number: int) -> Schema:
        self.asked += 1
        if number not in self.schemas:
            raise UnknownSchema
        return self.schemas[number]


class Topic:
    """One topic of interactions and one of items, read as a config says."""

    def __init__(
        self,
        schemas: Registry | Mapping[int, Schema] | None = None,
        interactions: dict[str, Any] | None = None,
        items: dict[str, Any] | None = None,
    ) -> None:
        """interactions, items: the tables of the config."""
        registry = {"url": "http://registry:8081"}
        movies = {"interactions": interactions or {}, "items": items or {}}
        self.settings = build({"schema_registry": registry, "domains": {"movies": movies}})
        known = schemas if isinstance(schemas, Registry) else KnownSchemas(schemas or {})
        bodies = bodies_of(known)
        readers = {
            topic: TopicReader(how, kind, bodies[how.format])
            for topic, kind, how in self.settings.topic_formats()
            if not how.is_contract
        }
        self.decoder = Decoder(
            self.settings.topics(), self.settings.domain_list(), clock=lambda: CLOCK, readers=readers
        )

    def event(self, value: bytes | None, key: bytes | None = b"k") -> Decoded:
        return self.decoder.decode(Record("interactions.movies", 0, 7, NOW, key, value))

    def item(self, value: bytes | None, key: bytes | None = b"k") -> Decoded:
        return self.decoder.decode(Record("items.movies", 0, 7, NOW, key, value))


def avro(schema: Any, **references: Any) -> Schema:
    """What a registry has of a schema in Avro. references: by name, what is used before its user."""
    return Schema("AVRO", json.dumps(schema), {name: json.dumps(one) for name, one in references.items()})


def protobuf(text: str, **references: str) -> Schema:
    """The same in Protobuf."""
    return Schema("PROTOBUF", text, references)
