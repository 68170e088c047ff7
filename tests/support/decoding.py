"""Make a decoder of two domains and records for it, and check the law of its answers."""

from __future__ import annotations

import json
import math
from typing import Any, get_args

from hypothesis import strategies as st

from consumers.config.loader import build
from consumers.events.decode import Decoded, Decoder, Forget
from consumers.events.record import Record
from consumers.events.rejection import DETAIL_LIMIT, Reason, Rejection
from models.schema import Impression, Interaction, Item
from serving.client.pseudonyms import Pseudonyms
from tests.support.clock import Clock

NOW = 1_700_000_000_000
SETTINGS = build(
    {"domains": {"movies": {"rating_range": [0.5, 5.0]}, "books": {"role": "target", "rating_range": [1, 5]}}}
)
CLOCK = Clock(NOW / 1000 + 86_400.0)
"""Seconds since the epoch, for `DECODER`: a day after the records."""
DECODER = Decoder(SETTINGS.topics(), SETTINGS.domain_list(), clock=CLOCK)
REASONS = set(get_args(Reason))
MARK = Pseudonyms().mark("u")
TOPICS = st.sampled_from([*SETTINGS.topics(), "elsewhere"])
KEYS = st.none() | st.binary(max_size=20) | st.just(b"k" * 300)
TIMES = st.sampled_from([NOW, -1, 0, 2**63 - 1]) | st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        [
            "type",
            "user_id",
            "item_id",
            "value",
            "timestamp",
            "event_id",
            "context",
            "impression",
            "items",
            "list_ts",
            "title",
            "text",
            "available",
            "vectors",
            "other",
        ]
    ),
    JSON
    | st.sampled_from(
        ["click", "rating", "impression", "u", "\ud800", "", "x" * 300, NOW, 3, 3.5, 10**30, 10**400]
    )
    | st.dictionaries(st.text(max_size=3), st.floats() | st.text(max_size=3), max_size=20)
    | st.dictionaries(st.text(max_size=3), st.lists(st.floats(), max_size=4), max_size=10),
)


def decode(
    value: bytes | None,
    topic: str = "interactions.movies",
    key: bytes | None = b"u",
    timestamp: int = NOW,
) -> Decoded:
    return DECODER.decode(Record(topic, 0, 7, timestamp, key, value))


def event(**fields: Any) -> bytes:
    """Return a valid rating with these fields changed; `...` leaves a field out."""
    whole = {"type": "rating", "user_id": "u", "item_id": "i", "value": 3} | fields
    return json.dumps({k: v for k, v in whole.items() if v is not ...}).encode()


def item(**fields: Any) -> bytes:
    return json.dumps({"item_id": "i", **fields}).encode()


def reason(value: bytes | None, **where: Any) -> str:
    decoded = decode(value, **where)
    assert isinstance(decoded, Rejection), decoded
    return decoded.reason


def check(decoded: object) -> None:
    """Check the whole law: the answer is one of three, and an accepted record is inside every limit of the contract."""
    if isinstance(decoded, Rejection):
        assert decoded.reason in REASONS
        assert 0 < len(decoded.detail.encode().decode()) <= DETAIL_LIMIT
    elif isinstance(decoded, Interaction):
        for text in (decoded.user, decoded.item, decoded.event_id or "e"):
            assert 1 <= len(text.encode().decode()) <= 256
        assert decoded.timestamp >= 10**11
        assert (decoded.value is None) == (decoded.kind == "click")
        if decoded.value is not None:
            low, high = {"movies": (0.5, 5.0), "books": (1.0, 5.0)}[decoded.domain]
            assert low <= decoded.value <= high
        assert len(decoded.context) <= 16
    elif isinstance(decoded, Impression):
        for text in (decoded.user, *decoded.items, decoded.event_id or "e"):
            assert 1 <= len(text.encode().decode()) <= 256
        assert 1 <= len(decoded.items) <= 200
        assert decoded.timestamp >= 10**11
        assert 10**11 <= (decoded.list_ts or 10**11) < 2**62
    elif isinstance(decoded, Forget):
        assert decoded.timestamp >= 10**11
    else:
        assert isinstance(decoded, Item)
        assert 1 <= len(decoded.item_id.encode()) <= 1024
        assert all(math.isfinite(x) for vector in decoded.vectors.values() for x in vector)
