"""Any bytes at all, in any format, decode to one of the known things."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.events.decode import Decoded, Skipped
from consumers.events.rejection import Rejection
from models.schema import Interaction, Item
from tests.support.log.formats import AVRO_EVENT, PROTOBUF_EVENT, Topic, avro, protobuf
from tests.support.log.registry import framed

ROW: dict[str, Any] = {
    "fields": {"user_id": "uid", "item_id": "sku", "value": "stars"},
    "defaults": {"type": "rating"},
}
BARE: dict[str, Any] = {"fields": {"item_id": "sku"}}
TOPICS = [
    Topic({1: avro(AVRO_EVENT)}, ROW | {"format": "avro"}, BARE | {"format": "avro"}),
    Topic({1: protobuf(PROTOBUF_EVENT)}, ROW | {"format": "protobuf"}, BARE | {"format": "protobuf"}),
    Topic(
        {},
        ROW | {"format": "json_schema", "unwrap": "a.b"},
        BARE | {"format": "json_schema", "unwrap": "a.b"},
    ),
    Topic({}, ROW | {"unwrap": "a"}, BARE | {"unwrap": "a"}),
]
JSON = st.sampled_from(
    [b'{"a": ', b"null", b"}", b'"b":', b'{"sku": 3, "uid": 4, "stars": 5}', b"NaN", b"[", b"1e999"]
)
BYTES = st.binary(max_size=60) | st.lists(JSON, max_size=5).map(b"".join)
VALUES = BYTES | BYTES.map(lambda body: framed(1, body)) | BYTES.map(lambda body: framed(1, body, b"\2\2"))


def check(decoded: Decoded) -> None:
    assert isinstance(decoded, Interaction | Item | Rejection | Skipped)
    if isinstance(decoded, Rejection):
        assert 0 < len(decoded.detail.encode().decode()) <= 300


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(TOPICS), st.none() | VALUES, st.none() | VALUES)
def test_any_bytes(topic: Topic, value: bytes | None, key: bytes | None) -> None:
    """A value, a key, framed or not: an event, an item, a row that is gone, or a dead letter."""
    check(topic.event(value, key))
    check(topic.item(value, key))
