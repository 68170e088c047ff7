"""Make decoders of topics that are not JSON as the contract defines it. A dict stands in for the registry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from consumers.config.formats import SchemaRegistryConfig
from consumers.config.loader import build
from consumers.events.decode import Decoded
from consumers.events.record import Record
from consumers.formats.registry import Registry, Schema, UnknownSchema
from consumers.formats.topic_reader import decoder_of
from tests.support.log.registry import record

NOW = 1_700_000_000_000
CLOCK = NOW / 1000 + 86_400.0
AVRO_EVENT = record("Event", ("uid", "string"), ("sku", "string"), ("stars", ["null", "double"]))
PROTOBUF_EVENT = """
syntax = "proto3";
package shop.v1;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
option java_package = "com.shop";
// what happened
enum Kind { option allow_alias = true; KIND_UNKNOWN = 0; rating = 1; click = 2; tap = 2; reserved 9; }
message Other { string x = 1; }
message Event {
  reserved 20 to 30; reserved "old";
  message User { int64 number = 1; oneof login { string mail = 2; string phone = 3; } message Deep { int32 x = 1; } }
  User user = 1;
  string sku = 2 [deprecated = true];
  optional double stars = 3;
  Kind type = 4;
  map<string, string> context = 5;
  int64 timestamp = 6;
  string event_id = 7;
  google.protobuf.Timestamp at = 8;
  google.protobuf.DoubleValue wrapped = 9;
  repeated Event.User friends = 10;
  bytes blob = 11;
}
service Shop { rpc Get (Event) returns (stream Other); }
"""


class KnownSchemas(Registry):
    """A registry that answers from a dict; `asked` counts the questions."""

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
        self.decoder = decoder_of(self.settings, lambda: CLOCK, known)

    def event(self, value: bytes | None, key: bytes | None = b"k") -> Decoded:
        return self.decoder.decode(Record("interactions.movies", 0, 7, NOW, key, value))

    def item(self, value: bytes | None, key: bytes | None = b"k") -> Decoded:
        return self.decoder.decode(Record("items.movies", 0, 7, NOW, key, value))


def avro(schema: Any, **references: Any) -> Schema:
    """Return a registry's entry of an Avro schema. references: by name, each schema before its user."""
    return Schema("AVRO", json.dumps(schema), {name: json.dumps(one) for name, one in references.items()})


def protobuf(text: str, **references: str) -> Schema:
    """Return a registry's entry of a Protobuf schema; see `avro`."""
    return Schema("PROTOBUF", text, references)
