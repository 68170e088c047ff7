"""Any bytes at all decode to one of the known things, within the limits of the contract."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.events.record import Record
from tests.support.decoding import (
    DECODER,
    FIELDS,
    KEYS,
    NOW,
    TIMES,
    TOPICS,
    check,
    event,
    item,
)


@settings(max_examples=100, deadline=None)
@given(st.none() | st.binary(max_size=200), TOPICS, KEYS, TIMES)
def test_any_bytes(value: bytes | None, topic: str, key: bytes | None, timestamp: int) -> None:
    """Any bytes on any topic, with any key and time, decode to one of three things."""
    check(DECODER.decode(Record(topic, 0, 0, timestamp, key, value)))


@settings(max_examples=100, deadline=None)
@given(FIELDS, TOPICS, KEYS, TIMES)
def test_any_json_object(fields: dict[str, Any], topic: str, key: bytes | None, timestamp: int) -> None:
    """Any JSON object of the contract's field names, with NaN and lone surrogates, decodes to one of three things."""
    check(DECODER.decode(Record(topic, 0, 0, timestamp, key, json.dumps(fields).encode())))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    """A valid record with some bytes changed, cut or added decodes to one of three things."""
    value = bytearray(
        data.draw(st.sampled_from([event(context={"a": 1}), item(title="t", vectors={"a": [1]})]))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(value)))
        value[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    topic = data.draw(TOPICS)
    check(DECODER.decode(Record(topic, 0, 0, NOW, b"k", bytes(value))))
