"""Bytes that are no event become a Rejection, with one of the closed list of reasons and words that help."""

from __future__ import annotations

import math
from typing import Any

import pytest

from consumers.events.rejection import Rejection
from tests.support.decoding import (
    MARK,
    NOW,
    REASONS,
    decode,
    event,
    item,
    reason,
)

# Every reason


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null_value"),
        (b"x" * 524_289, "too_large"),
        (b'"' + b"x" * 1_000_000 + b'"', "too_large"),
        (b"\xff\xfe", "not_utf8"),
        (event().decode().encode("utf-16"), "not_utf8"),
        (b'{"type":"click","user_id":"\xff","item_id":"i"}', "not_utf8"),
        (b'{"type":"click","user_id":"u","item_id":"i","unknown":"\xff"}', "not_utf8"),
        (b'{"type":"click","user_id":"\xed\xa0\x80","item_id":"i"}', "not_utf8"),
        (b"", "malformed_json"),
        (b"{", "malformed_json"),
        (b"\xef\xbb\xbf" + event(), "malformed_json"),
        (event() + b"x", "malformed_json"),
        (b"{'type':'click'}", "malformed_json"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "malformed_json"),
        (event(context={"a": "\udfff"}), "malformed_json"),
        (b"[]", "wrong_type"),
        (b"null", "wrong_type"),
        (b"17", "wrong_type"),
        (b'"click"', "wrong_type"),
        (event(type=1), "wrong_type"),
        (event(user_id=5), "wrong_type"),
        (event(user_id=None), "wrong_type"),
        (event(item_id=["i"]), "wrong_type"),
        (event(value="3"), "wrong_type"),
        (event(value=True), "wrong_type"),
        (event(value=[[1]]), "wrong_type"),
        (event(timestamp="1700000000000"), "wrong_type"),
        (event(timestamp=NOW + 0.5), "wrong_type"),
        (event(event_id=12), "wrong_type"),
        (event(context=[]), "wrong_type"),
        (event(context={"a": True}), "wrong_type"),
        (event(context={"a": None}), "wrong_type"),
        (event(context={"a": {"b": 1}}), "wrong_type"),
        (event(type=...), "missing_field"),
        (event(user_id=...), "missing_field"),
        (event(item_id=...), "missing_field"),
        (event(value=...), "missing_field"),
        (event(value=None), "missing_field"),
        (event(type="purchase"), "unknown_type"),
        (event(type=""), "unknown_type"),
        (event(type="Click"), "unknown_type"),
        (event(user_id=""), "bad_id"),
        (event(user_id="x" * 257), "bad_id"),
        (event(item_id=""), "bad_id"),
        (event(item_id="x" * 257), "bad_id"),
        (event(event_id=""), "bad_id"),
        (event(event_id="x" * 257), "bad_id"),
        (event(user_id="a\ud800b"), "bad_id"),
        (event(item_id="\udfff"), "bad_id"),
        (event(event_id="\ud800"), "bad_id"),
        (event(type="impression", items=[]), "bad_items"),
        (event(value=math.nan), "not_finite"),
        (event(value=math.inf), "not_finite"),
        (event(value=-math.inf), "not_finite"),
        (event(timestamp=math.nan), "not_finite"),
        (event().replace(b": 3", b": 1e400"), "not_finite"),
        (event(value=10**400), "not_finite"),
        (event().replace(b": 3", b": " + b"9" * 5000), "not_finite"),
        (b'{"x":' + b"[" * 900 + b"]" * 900 + b',"user_id":NaN}', "not_finite"),
        (event(value=5.01), "out_of_range"),
        (event(value=0), "out_of_range"),
        (event(value=-3), "out_of_range"),
        (event(value=1e300), "out_of_range"),
        (event(timestamp=NOW // 1000), "timestamp_in_seconds"),
        (event(timestamp=10**11 - 1), "timestamp_in_seconds"),
        (event(timestamp=0), "timestamp_in_seconds"),
        (event(timestamp=-1), "timestamp_in_seconds"),
        (event(timestamp=NOW + 300_001), "future_timestamp"),
        (event(timestamp=NOW * 1000), "future_timestamp"),
        (event(timestamp=10**30), "future_timestamp"),
        (event(context={str(n): 1 for n in range(17)}), "bad_context"),
    ],
)  # fmt: skip
def test_rejected_interaction(value: bytes | None, expected: str) -> None:
    """Each defect of an interaction has its own reason."""
    assert reason(value) == expected


@pytest.mark.parametrize(
    ("value", "key", "expected"),
    [
        (None, None, "null_value"),
        (None, b"", "bad_id"),
        (None, b"\xff", "bad_id"),
        (None, b"x" * 257, "bad_id"),
        (item(title="t" * 600_000), b"i", "too_large"),
        (b'{"item_id":"i","title":"\xff"}', b"i", "not_utf8"),
        (b"{", b"i", "malformed_json"),
        (item(title="\ud800"), b"i", "malformed_json"),
        (b"{}", b"i", "missing_field"),
        (item(title=3), b"i", "wrong_type"),
        (item(text=[]), b"i", "wrong_type"),
        (item(available="no"), b"i", "wrong_type"),
        (item(available=0), b"i", "wrong_type"),
        (item(vectors=[1]), b"i", "wrong_type"),
        (item(vectors={"a": ["x"]}), b"i", "wrong_type"),
        (item(vectors={"a": 1}), b"i", "wrong_type"),
        (item(item_id=""), b"i", "bad_id"),
        (item(item_id="x" * 257), b"i", "bad_id"),
        (item(item_id="\ud800"), b"i", "bad_id"),
        (item(vectors={"a": [1, math.nan]}), b"i", "not_finite"),
        (b'{"item_id":"i","vectors":{"a":[1e999]}}', b"i", "not_finite"),
        (item(tags=3), b"i", "wrong_type"),
        (item(tags=["a", 3]), b"i", "wrong_type"),
        (item(tags=[""]), b"i", "bad_tags"),
        (item(tags=["a,b"]), b"i", "bad_tags"),
        (item(tags=["x" * 65]), b"i", "bad_tags"),
        (item(tags=[str(n) for n in range(33)]), b"i", "bad_tags"),
        (item(vectors={"a": []}), b"i", "bad_vectors"),
        (item(vectors={"a": [0] * 4097}), b"i", "bad_vectors"),
        (item(vectors={str(n): [1] for n in range(9)}), b"i", "bad_vectors"),
    ],
)  # fmt: skip
def test_rejected_item(value: bytes | None, key: bytes | None, expected: str) -> None:
    """Each defect of an item event has its own reason."""
    assert reason(value, topic="items.movies", key=key) == expected


@pytest.mark.parametrize(
    ("value", "key", "expected"),
    [
        (None, "alice", "bad_id"),
        (b"{}", MARK, "missing_field"),
        (b'{"timestamp": "now"}', MARK, "wrong_type"),
        (b'{"timestamp": 1700000000}', MARK, "timestamp_in_seconds"),
        (b'{"timestamp": %d}' % (NOW + 301_000), MARK, "future_timestamp"),
        (b'{"timestamp": %d}' % NOW, "alice", "bad_id"),
        (b'{"timestamp": %d, "key": "another"}' % NOW, MARK, "other_key"),
    ],
)
def test_rejected_request_to_forget(value: bytes | None, key: str, expected: str) -> None:
    """Each defect of a request has its own reason; a raw id, or a mark of another key, is refused."""
    assert reason(value, topic="crosscurrent.forget", key=key.encode()) == expected


# What a rejection says

NUMBERS = '(intake.ids = "any" in the config takes whole numbers too)'
TYPES = '"click", "rating", "impression", or a type of [events] in the config'
CONTEXT = "an object of at most 16 numbers or strings"


AHEAD = f"at most 5 minutes after the record's {NOW}"


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (event(user_id=42), "user_id: found a whole number, allowed: a string of 1 to 256 characters " + NUMBERS),
        (event(item_id=None), "item_id: found null, allowed: a string of 1 to 256 characters"),
        (event(value="4"), "value: found a string, allowed: a number from 0.5 to 5"),
        (event(value=7), "value: found 7, allowed: a number from 0.5 to 5"),
        (event(value=...), "value: missing, allowed: a number from 0.5 to 5"),
        (event(user_id=...), "user_id: missing, allowed: a string of 1 to 256 characters"),
        (event(context={"paid": True}), 'context: found true or false in "paid", allowed: ' + CONTEXT),
        (event(type="purchase"), 'type: found "purchase", allowed: ' + TYPES),
        (event(type="x" * 999), 'type: found "' + "x" * 40 + '"…, allowed: ' + TYPES),
        (event(user_id="x" * 300), "user_id: found 300 characters, allowed: 1 to 256 characters"),
        (event(event_id="\ud800"), "event_id: found a lone surrogate, allowed: a string of 1 to 256 characters"),
        (event(timestamp=NOW + 0.5), f"timestamp: found {NOW}.5, allowed: ms since the epoch, a whole number"),
        (event(timestamp=NOW // 1000), "timestamp: found 1700000000, allowed: ms since the epoch, from 100000000000"),
        (
            event(timestamp=NOW + 300_001),
            f"timestamp: found {NOW + 300_001} (2023-11-14 22:18:20Z), allowed: {AHEAD} (2023-11-14 22:13:20Z)",
        ),
        (event(context={str(n): 1 for n in range(17)}), f"context: found 17 entries, allowed: {CONTEXT}"),
        (b"[1]", "the record: found an array, allowed: an object"),
        (b"[NaN]", "the record: found an array, allowed: an object"),
        (b"{\xff", "the record: byte 1 is not UTF-8"),
        (None, "the record: it has no value"),
        (b'{"type": "click"', "the record: Input data was truncated"),
        (event(value=math.nan), "value: found nan, allowed: a finite number"),
    ],
)  # fmt: skip
def test_a_rejection_says_what_to_change(value: bytes | None, detail: str) -> None:
    """A detail names the field, what was found and what is allowed."""
    rejected = decode(value)
    assert isinstance(rejected, Rejection)
    assert rejected.detail == detail


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"vectors": {"a": [1], "b": ["x"]}}, 'vectors: found a string in "b"'),
        ({"vectors": {"cover": []}}, 'vectors: found 0 numbers in "cover"'),
        (
            {"tags": ["a,b"]},
            'tags: found "a,b", allowed: an array of at most 32 strings of 1 to 64 characters',
        ),
        ({"tags": {"a": 1}}, "tags: found an object, allowed: an array"),
        ({"available": "no"}, "available: found a string, allowed: true or false"),
        ({"title": 3}, "title: found a whole number, allowed: a string"),
    ],
)
def test_a_rejected_item_says_what_to_change(fields: dict[str, Any], detail: str) -> None:
    rejected = decode(item(**fields), topic="items.movies")
    assert isinstance(rejected, Rejection)
    assert rejected.detail.startswith(detail)


def test_unknown_topic() -> None:
    """A topic without a domain is rejected as `unknown_domain`."""
    rejected = decode(event(), topic="interactions.games")
    assert rejected == Rejection("unknown_domain", "", "topic: it belongs to no domain of the config")


def test_rejections_name_the_domain() -> None:
    """The metric's label is the domain of the topic, also for what cannot be read."""
    for topic in ("interactions.books", "items.books"):
        assert decode(b"\xff", topic=topic) == Rejection(
            "not_utf8", "books", "the record: byte 0 is not UTF-8"
        )


def test_every_reason_is_tested() -> None:
    """The closed list holds no reason that these tests never saw."""
    of_formats = {
        "not_framed",
        "unknown_schema",
        "unusable_schema",
        "malformed_body",
    }  # see unit/consumers/formats
    tested = {"unknown_domain", "no_timestamp"} | of_formats
    for test in (test_rejected_interaction, test_rejected_item, test_rejected_request_to_forget):
        for mark in test.pytestmark:
            tested |= {case[-1] for case in mark.args[1]}
    assert tested == REASONS
