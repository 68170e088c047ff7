"""The service's decoder reads Avro, Protobuf and JSON Schema from a real broker, with a real registry."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import message_factory
from kafka import KafkaAdminClient, KafkaProducer

from consumers.config.formats import SchemaRegistryConfig
from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.events.decode import Decoded
from consumers.events.rejection import Rejection
from consumers.formats import protobuf
from consumers.formats.registry import Registry, Schema, SchemaUnavailable, UnknownSchema
from consumers.formats.topic_reader import decoder_of
from consumers.source.kafka import KafkaSource
from models.schema import Interaction, Item
from tests.support.log.formats import NOW
from tests.support.log.logs import KEPT, read_all
from tests.support.log.registry import GuardedRegistry, SchemaRegistry, avro_body, framed, record

FIELDS = {"user_id": "uid", "item_id": "sku", "value": "stars"}
JSON_SCHEMA = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}
USER, PASSWORD = "crosscurrent", "correct-horse-battery"


class Shop:
    """A domain whose topics have a format, on the real broker."""

    def __init__(self, bootstrap: str, registry: SchemaRegistry, prefix: str) -> None:
        self.bootstrap, self.registry, self.prefix = bootstrap, registry, prefix
        self.events, self.items = f"interactions.{prefix}", f"items.{prefix}"
        with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
            made = dict.fromkeys((self.events, self.items), KEPT | {"num_partitions": 1})
            admin.create_topics(made, wait_for_metadata=True)
        self.producer = KafkaProducer(bootstrap_servers=bootstrap)
        self.sent = 0

    def settings(self, events: dict[str, Any], items: dict[str, Any] | None = None) -> Settings:
        topics = {"interactions_topic": self.events, "items_topic": self.items}
        return build(
            {
                "kafka": {
                    "bootstrap_servers": [self.bootstrap],
                    "group_id": self.prefix,
                    "forget_topic": f"{self.prefix}.forget",
                    "canary_topic": "",
                },
                "schema_registry": {"url": self.registry.url},
                "domains": {"shop": {**topics, "interactions": events, "items": items or {}}},
            }
        )

    def send(self, value: bytes | None, key: bytes = b"k", items: bool = False) -> None:
        self.producer.send(self.items if items else self.events, value, key, timestamp_ms=NOW + self.sent)
        self.sent += 1

    def read(self, settings: Settings) -> list[Decoded]:
        """Return everything that was sent, as the service's decoder reads it, items first."""
        self.producer.flush()
        source = KafkaSource(settings.kafka, settings.topics())
        decoder = decoder_of(settings)
        try:
            source.start({}, {})
            return [decoder.decode(one) for one in read_all(source, self.sent)]
        finally:
            source.close()


@pytest.fixture
def shop(bootstrap: str, registry: SchemaRegistry, topic_prefix: str) -> Iterator[Shop]:
    made = Shop(bootstrap, registry, topic_prefix)
    yield made
    made.producer.close()


def rating(n: int, user: str = "u", value: float = 4.0, **more: Any) -> Interaction:
    return Interaction("shop", "rating", user, "i", NOW + n, value, **more)


def test_avro_schemas_that_evolve(shop: Shop) -> None:
    """All versions of a schema are read: a field added, one removed, types promoted, one renamed by alias."""
    sku = ("sku", "string")
    versions = [
        (
            record("Event", ("uid", "int"), sku, ("stars", "int"), ("shelf", "string")),
            {"uid": 7, "sku": "i", "stars": 4, "shelf": "s"},
        ),
        (
            record(
                "Event",
                ("uid", "int"),
                sku,
                ("stars", "int"),
                ("shelf", "string"),
                {"name": "event_id", "type": ["null", "string"], "default": None},
            ),
            {"uid": 7, "sku": "i", "stars": 4, "shelf": "s", "event_id": "e"},
        ),
        (record("Event", ("uid", "int"), sku, ("stars", "int")), {"uid": 7, "sku": "i", "stars": 4}),
        (
            record("Event", ("uid", "long"), sku, ("stars", "double")),
            {"uid": 2**40, "sku": "i", "stars": 4.5},
        ),
        (
            record("Event", {"name": "user", "type": "long", "aliases": ["uid"]}, sku, ("stars", "double")),
            {"user": 2**40, "sku": "i", "stars": 4.5},
        ),
    ]
    ids = [shop.registry.register(f"{shop.events}-value", schema) for schema, _ in versions]
    assert len(set(ids)) == len(versions)
    for number, (schema, value) in zip(ids, versions, strict=True):
        shop.send(framed(number, avro_body(schema, value)))
    config = {"format": "avro", "fields": FIELDS, "defaults": {"type": "rating"}}
    assert shop.read(shop.settings(config)) == [
        rating(0, "7"),
        rating(1, "7", event_id="e"),
        rating(2, "7"),
        rating(3, str(2**40), 4.5),
        rating(4, str(2**40), 4.5),
    ]


def message(text: str, name: str, **fields: Any) -> bytes:
    file = protobuf._file(Schema("PROTOBUF", text, {}))
    made: Any = message_factory.GetMessageClass(file.message_types_by_name[name])(**fields)
    return bytes(made.SerializeToString())


def test_protobuf_schemas_that_evolve(shop: Shop) -> None:
    """All versions of a schema are read: a field added, one removed, a type promoted, one renamed with both names."""
    head = 'syntax = "proto3"; message Event { '
    versions: list[tuple[str, dict[str, Any]]] = [
        (
            head + "int32 uid = 1; string sku = 2; float stars = 3; string shelf = 4; }",
            {"uid": 7, "stars": 4, "shelf": "s"},
        ),
        (
            head + "int32 uid = 1; string sku = 2; float stars = 3; string shelf = 4; string event_id = 5; }",
            {"uid": 7, "stars": 4, "event_id": "e"},
        ),
        (
            head + "int32 uid = 1; string sku = 2; float stars = 3; reserved 4; string event_id = 5; }",
            {"uid": 7, "stars": 4},
        ),
        (
            head + "int64 uid = 1; string sku = 2; float stars = 3; reserved 4; string event_id = 5; }",
            {"uid": 2**40, "stars": 4},
        ),
        (
            head + "int64 customer = 1; string sku = 2; float stars = 3; reserved 4; string event_id = 5; }",
            {"customer": 2**40, "stars": 4},
        ),
    ]
    for text, value in versions:
        number = shop.registry.register(f"{shop.events}-value", text, "PROTOBUF")
        shop.send(framed(number, message(text, "Event", sku="i", **value), b"\0"))
    fields = FIELDS | {"user_id": ["customer", "uid"]}
    config = {"format": "protobuf", "fields": fields, "defaults": {"type": "rating"}}
    assert shop.read(shop.settings(config)) == [
        rating(0, "7"),
        rating(1, "7", event_id="e"),
        rating(2, "7"),
        rating(3, str(2**40)),
        rating(4, str(2**40)),
    ]


def test_json_schema(shop: Shop) -> None:
    """Framed JSON is read, in an envelope of CloudEvents."""
    number = shop.registry.register(f"{shop.events}-value", JSON_SCHEMA, "JSON")
    value = {"specversion": "1.0", "id": "e", "data": {"uid": 7, "sku": "i", "stars": 4}}
    shop.send(framed(number, json.dumps(value).encode()))
    fields = FIELDS | {"event_id": "$.id"}
    config = {"format": "json_schema", "unwrap": "data", "fields": fields, "defaults": {"type": "rating"}}
    assert shop.read(shop.settings(config)) == [rating(0, "7", event_id="e")]


def test_schemas_with_references(shop: Shop) -> None:
    """References between subjects are followed, two levels deep, in Avro and in Protobuf."""
    registry, name = shop.registry, shop.prefix.replace("-", "_")
    place, user = (
        record(f"{name}_Place", ("city", "string")),
        record(f"{name}_User", ("uid", "long"), ("at", f"{name}_Place")),
    )
    event = record(f"{name}_Event", ("user", f"{name}_User"), ("sku", "string"), ("stars", "double"))
    registry.register(f"{name}-place", place)
    registry.register(f"{name}-user", user, references={f"{name}_Place": (f"{name}-place", 1)})
    number = registry.register(
        f"{shop.events}-value", event, references={f"{name}_User": (f"{name}-user", 1)}
    )
    value = {"user": {"uid": 7, "at": {"city": "Ulm"}}, "sku": "i", "stars": 4.0}
    shop.send(framed(number, avro_body(event, value, place, user)))
    fields = FIELDS | {"user_id": "user.uid"}
    config = {"format": "avro", "fields": fields, "defaults": {"type": "rating"}}
    assert shop.read(shop.settings(config)) == [rating(0, "7")]

    inner = f'syntax = "proto3"; package {name}; message Title {{ string text = 1; }}'
    fields = "string sku = 1; Title title = 2;"
    outer = f'syntax = "proto3"; package {name}; import "title.proto"; message Item {{ {fields} }}'
    registry.register(f"{name}-title", inner, "PROTOBUF")
    number = registry.register(
        f"{shop.items}-value", outer, "PROTOBUF", {"title.proto": (f"{name}-title", 1)}
    )
    shop.send(framed(number, b"\x0a\x01i\x12\x06\x0a\x04Dune", b"\0"), items=True)
    shop.send(None, b"i", items=True)
    items = {"format": "protobuf", "fields": {"item_id": "sku", "title": "title.text"}}
    assert shop.read(shop.settings(config, items)) == [
        Item("shop", "i", "Dune"),
        Item("shop", "i", available=False, removed=True),
        rating(0, "7"),
    ]


def test_ids_that_cannot_be_used(shop: Shop) -> None:
    """An unknown id, a schema of another kind, and a missing frame make dead letters that say so."""
    number = shop.registry.register(f"{shop.events}-value", JSON_SCHEMA, "JSON")
    ids = (2**31 - 1, 2**31, 2**32 - 1)
    for value in (*(framed(one, b"x") for one in ids), framed(number, b"x"), b'{"uid": 7}'):
        shop.send(value)
    *unknown, other, bare = shop.read(shop.settings({"format": "avro"}))
    assert unknown == [
        Rejection("unknown_schema", "shop", f"schema {one}: the registry does not have it") for one in ids
    ]
    assert other == Rejection(
        "unusable_schema", "shop", f"schema {number}: it is JSON, and the topic's format is AVRO"
    )
    assert isinstance(bare, Rejection)
    assert bare.reason == "not_framed"


def why(config: SchemaRegistryConfig) -> str:
    with pytest.raises(SchemaUnavailable) as caught:
        Registry(config).schema(1)
    return str(caught.value)


def test_a_registry_that_gives_nothing(registry: SchemaRegistry) -> None:
    """A registry that is away, silent or at another path is asked again. Its schemas do not count as unknown."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert "does not answer in time" in why(SchemaRegistryConfig(url=f"http://127.0.0.1:{port}"))
    assert "cannot be reached" in why(SchemaRegistryConfig(url=f"http://127.0.0.1:{port}"))
    for path in ("", "/apis", "/apis/ccompat"):
        wrong = SchemaRegistryConfig(url=f"http://127.0.0.1:{registry.port}{path}")
        assert "see the path of" in why(wrong)
        with pytest.raises(SchemaUnavailable):
            Registry(wrong).ping()
    with pytest.raises(UnknownSchema):
        Registry(SchemaRegistryConfig(url=registry.url + "/")).schema(2**31)


def test_a_registry_with_tls_and_a_password(registry: SchemaRegistry, tmp_path: Path) -> None:
    """A user with access gets schemas. For another user the error names the key to look at, and not the password."""
    number = registry.register(f"secure-{tmp_path.name}", record("E", ("x", "int")))
    with GuardedRegistry(tmp_path, registry.port, USER, PASSWORD) as guarded:
        good = SchemaRegistryConfig(guarded.url, USER, PASSWORD, ssl_cafile=str(guarded.cert))
        assert Registry(good).schema(number).kind == "AVRO"
        Registry(good).ping()
        refused = {
            "schema_registry.ssl_cafile": SchemaRegistryConfig(guarded.url, USER, PASSWORD),
            "schema_registry.password": SchemaRegistryConfig(
                guarded.url, USER, "wrong-horse", ssl_cafile=str(guarded.cert)
            ),
            "schema_registry.username": SchemaRegistryConfig(guarded.url, ssl_cafile=str(guarded.cert)),
        }
        for key, config in refused.items():
            told = why(config)
            assert key in told
            assert PASSWORD not in told
            assert "wrong-horse" not in told
