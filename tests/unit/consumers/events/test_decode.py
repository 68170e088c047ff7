"""Any bytes become an Interaction, an Item or a Rejection with one of the closed list of reasons."""

from __future__ import annotations

import json
import math
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.config.loader import build
from consumers.events.decode import CONTEXT_BUCKETS, Decoded, Decoder, Forget
from consumers.events.record import Record
from consumers.events.rejection import DETAIL_LIMIT, Reason, Rejection
from models.schema import Interaction, Item
from serving.pseudonyms import Pseudonyms

NOW = 1_700_000_000_000
SETTINGS = build(
    {"domains": {"movies": {"rating_range": [0.5, 5.0]}, "books": {"role": "target", "rating_range": [1, 5]}}}
)
CLOCK = [NOW / 1000 + 86_400.0]
"""Seconds since the epoch, for `DECODER`: a day after the records."""
DECODER = Decoder(
    SETTINGS.topics(), SETTINGS.domain_list(), SETTINGS.intake.max_record_bytes, clock=lambda: CLOCK[0]
)
REASONS = set(get_args(Reason))


def decode(
    value: bytes | None,
    topic: str = "interactions.movies",
    key: bytes | None = b"u",
    timestamp: int = NOW,
) -> Decoded:
    return DECODER.decode(Record(topic, 0, 7, timestamp, key, value))


def event(**fields: Any) -> bytes:
    """A valid rating with these fields changed; `...` leaves a field out."""
    whole = {"type": "rating", "user_id": "u", "item_id": "i", "value": 3} | fields
    return json.dumps({k: v for k, v in whole.items() if v is not ...}).encode()


def item(**fields: Any) -> bytes:
    return json.dumps({"item_id": "i", **fields}).encode()


def reason(value: bytes | None, **where: Any) -> str:
    decoded = decode(value, **where)
    assert isinstance(decoded, Rejection), decoded
    return decoded.reason


# What is taken


def test_rating() -> None:
    """A full rating becomes the interaction it describes, field for field."""
    decoded = decode(event(value=4.5, timestamp=NOW - 5, event_id="e1"))
    assert decoded == Interaction("movies", "rating", "u", "i", NOW - 5, 4.5, "e1", ())


def test_own_timestamp_wins_else_the_records() -> None:
    """`timestamp` is the event's; without one, or with null, it is the record's own."""
    assert decode(event(timestamp=NOW - 10**9)).timestamp == NOW - 10**9  # late events are learned
    assert decode(event()).timestamp == decode(event(timestamp=None)).timestamp == NOW


@pytest.mark.parametrize("value", [99, "x", None, True, {"a": [1]}, [], ...])
def test_value_of_a_click_is_ignored(value: Any) -> None:
    """A click's `value` may be anything or missing."""
    decoded = decode(event(type="click", value=value))
    assert decoded == Interaction("movies", "click", "u", "i", NOW)


@pytest.mark.parametrize("value", [0.5, 5.0, 5, 1, 3.14159])
def test_rating_range_is_inclusive(value: float) -> None:
    """Both ends of the domain's rating_range belong to it."""
    assert decode(event(value=value)).value == value


def test_rating_range_is_the_domains() -> None:
    """The same value may be in one domain's range and out of another's."""
    assert isinstance(decode(event(value=0.5)), Interaction)
    detail = "value: found 0.5, allowed: a number from 1 to 5"
    assert decode(event(value=0.5), topic="interactions.books") == Rejection("out_of_range", "books", detail)


def test_unknown_fields_are_ignored() -> None:
    """Fields the contract does not name change nothing, whatever they hold."""
    plain = decode(event())
    assert decode(event(extra={"deep": [1, {"er": None}]}, value2=[], users=1e300)) == plain


def test_last_of_duplicate_keys_counts() -> None:
    """JSON with a key twice is legal; the last one holds."""
    text = b'{"type":"click","type":"rating","user_id":"a","user_id":"b","item_id":"i","value":9,"value":2}'
    assert decode(text) == Interaction("movies", "rating", "b", "i", NOW, 2.0)


@pytest.mark.parametrize("text", ["a", "x" * 256, "😀" * 256, "\x00", "ünï/:{}*\n", " "])
def test_ids_are_1_to_256_characters(text: str) -> None:
    """Characters count, not bytes, and any character is allowed."""
    decoded = decode(event(user_id=text, item_id=text, event_id=text))
    assert (decoded.user, decoded.item, decoded.event_id) == (text, text, text)
    assert decode(item(item_id=text), topic="items.movies").item_id == text


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
        (item(vectors={"a": []}), b"i", "bad_vectors"),
        (item(vectors={"a": [0] * 4097}), b"i", "bad_vectors"),
        (item(vectors={str(n): [1] for n in range(9)}), b"i", "bad_vectors"),
    ],
)  # fmt: skip
def test_rejected_item(value: bytes | None, key: bytes | None, expected: str) -> None:
    """Each defect of an item event has its own reason."""
    assert reason(value, topic="items.movies", key=key) == expected


MARK = Pseudonyms().mark("u")


@pytest.mark.parametrize(
    ("value", "key", "expected"),
    [
        (None, MARK, "null_value"),
        (b"{}", MARK, "missing_field"),
        (b'{"timestamp": "now"}', MARK, "wrong_type"),
        (b'{"timestamp": 1700000000}', MARK, "timestamp_in_seconds"),
        (b'{"timestamp": %d}' % (NOW + 301_000), MARK, "future_timestamp"),
        (b'{"timestamp": %d}' % NOW, "alice", "bad_id"),
        (b'{"timestamp": %d, "key": "another"}' % NOW, MARK, "other_key"),
    ],
)
def test_rejected_request_to_forget(value: bytes | None, key: str, expected: str) -> None:
    """Each defect of a request has its own reason; one in clear, or made with another key, is not believed."""
    assert reason(value, topic="crosscurrent.forget", key=key.encode()) == expected


def test_a_request_to_forget() -> None:
    """Mark and time of one that can be used."""
    request = decode(b'{"timestamp": %d}' % NOW, topic="crosscurrent.forget", key=MARK.encode())
    assert request == Forget(MARK, NOW)


def test_a_record_without_any_time_needs_its_own() -> None:
    """A log without timestamps (-1): the event must bring one, and the clock alone says what lies ahead."""
    assert reason(event(), timestamp=-1) == "no_timestamp"
    latest = NOW + 86_400_000 + 300_000
    assert decode(event(timestamp=latest), timestamp=-1).timestamp == latest
    assert reason(event(timestamp=latest + 1), timestamp=-1) == "future_timestamp"


def test_five_minutes_of_clock_skew() -> None:
    """The limit counts from the record's own time and includes its end."""
    assert decode(event(timestamp=NOW + 300_000)).timestamp == NOW + 300_000
    assert decode(event(timestamp=10**11)).timestamp == 10**11


@pytest.mark.parametrize("own", [..., NOW])
def test_a_record_ahead_of_the_clock_teaches_nothing(own: Any) -> None:
    """A producer that sends microseconds as milliseconds: neither its time nor what hangs on it is believed."""
    assert reason(event(timestamp=own), timestamp=NOW * 1000) == "future_timestamp"
    latest = int(1000 * CLOCK[0]) + 300_000
    assert isinstance(decode(event(timestamp=own), timestamp=latest), Interaction)
    assert reason(event(timestamp=own), timestamp=latest + 1) == "future_timestamp"


def test_an_event_ahead_of_the_clock_and_not_of_its_record() -> None:
    """The event's own time is held against the clock too."""
    ahead = int(1000 * CLOCK[0]) + 300_001
    assert reason(event(timestamp=ahead), timestamp=ahead - 2) == "future_timestamp"
    request = b'{"timestamp": %d}' % ahead
    where = {"topic": "crosscurrent.forget", "key": MARK.encode(), "timestamp": ahead - 2}
    assert reason(request, **where) == "future_timestamp"


@pytest.mark.parametrize("form", ["%d.0", "%d.000", "%de0", "17e11"])
def test_whole_floats_are_whole_numbers(form: str) -> None:
    """JSON has one type of number: what other languages write with a point is the same time."""
    text = (form % NOW if "%" in form else form).encode()
    assert decode(event(timestamp=0).replace(b": 0}", b": " + text + b"}")).timestamp == NOW
    where = {"topic": "crosscurrent.forget", "key": MARK.encode()}
    assert decode(b'{"timestamp": ' + text + b"}", **where) == Forget(MARK, NOW)


# What nobody needs


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
@pytest.mark.parametrize(
    "where",
    [
        '"price": %s',
        '"price": {"deep": [1, {"er": %s}]}',
        '"item": null, "price": %s',
        '"type": "click", "value": %s',
        '"type": "click", "value": [%s, {}]',
    ],
)
def test_numbers_that_nobody_needs_may_be_anything(where: str, number: str) -> None:
    """NaN, Infinity and their like in a field of the producer's own, or in a click's value, lose no event."""
    decoded = decode(event()[:-1] + b", " + (where % number).encode() + b"}")
    assert isinstance(decoded, Interaction)
    assert (decoded.user, decoded.item, decoded.timestamp) == ("u", "i", NOW)
    assert decoded.value == (None if decoded.kind == "click" else 3)


def test_a_lone_surrogate_that_nobody_needs() -> None:
    """Nor does half a character in a field of the producer's own."""
    assert decode(event(note="\ud800")) == decode(event())
    full = decode(item(title="T", price=math.nan, note="\udfff"), topic="items.books")
    assert full == Item("books", "i", "T")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 10**400])
def test_a_context_number_that_says_nothing(number: Any) -> None:
    """It is left out of the context, and the event counts."""
    assert decode(event(context={"age": number, "device": "tv"})) == decode(event(context={"device": "tv"}))


# What a rejection says

CONTEXT = "an object of at most 16 numbers or strings"
AHEAD = f"at most 5 minutes after the record's {NOW}"


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (event(user_id=42), "user_id: found a whole number, allowed: a string of 1 to 256 characters"),
        (event(item_id=None), "item_id: found null, allowed: a string of 1 to 256 characters"),
        (event(value="4"), "value: found a string, allowed: a number from 0.5 to 5"),
        (event(value=7), "value: found 7, allowed: a number from 0.5 to 5"),
        (event(value=...), "value: missing, allowed: a number from 0.5 to 5"),
        (event(user_id=...), "user_id: missing, allowed: a string of 1 to 256 characters"),
        (event(context={"paid": True}), 'context: found true or false in "paid", allowed: ' + CONTEXT),
        (event(type="purchase"), 'type: found "purchase", allowed: "click" or "rating"'),
        (event(type="x" * 999), 'type: found "' + "x" * 40 + '"…, allowed: "click" or "rating"'),
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
        (b"{\xff", "byte 1: not UTF-8"),
        (None, "the record: it has no value"),
        (b'{"type": "click"', "Input data was truncated"),
        (event(value=math.nan), "value: found nan, allowed: a finite number"),
    ],
)  # fmt: skip
def test_a_rejection_says_what_to_change(value: bytes | None, detail: str) -> None:
    """The field, what was found there and what is allowed."""
    rejected = decode(value)
    assert isinstance(rejected, Rejection)
    assert rejected.detail == detail


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"vectors": {"a": [1], "b": ["x"]}}, 'vectors: found a string in "b"'),
        ({"vectors": {"cover": []}}, 'vectors: found 0 numbers in "cover"'),
        ({"available": "no"}, "available: found a string, allowed: true or false"),
        ({"title": 3}, "title: found a whole number, allowed: a string"),
    ],
)
def test_a_rejected_item_says_what_to_change(fields: dict[str, Any], detail: str) -> None:
    rejected = decode(item(**fields), topic="items.movies")
    assert isinstance(rejected, Rejection)
    assert rejected.detail.startswith(detail)


def test_unknown_topic() -> None:
    """A topic that no domain owns gives `unknown_domain`."""
    rejected = decode(event(), topic="interactions.games")
    assert rejected == Rejection("unknown_domain", "", "topic: it belongs to no domain of the config")


def test_the_limit_on_bytes_is_inclusive() -> None:
    """A record of exactly max_record_bytes is read."""
    body = event()
    assert isinstance(decode(body + b" " * (524_288 - len(body))), Interaction)


def test_rejections_name_the_domain() -> None:
    """The metric's label is the domain of the topic, also for what cannot be read."""
    for topic in ("interactions.books", "items.books"):
        assert decode(b"\xff", topic=topic) == Rejection("not_utf8", "books", "byte 0: not UTF-8")


# Context


def test_context_is_hashed_into_a_bounded_space() -> None:
    """Every feature name is one of 4,096, however many keys and values producers invent."""
    names: set[str] = set()
    for n in range(3000):
        names.update(decode(event(context={f"key{n}": f"value{n}", "other": n * 1.37})).context)
    assert names <= {f"c{n}" for n in range(CONTEXT_BUCKETS)}
    assert len(names) > 1000


def test_context_is_deterministic_and_distinguishes() -> None:
    """Order does not matter, keys and values do; sixteen entries are allowed."""
    one = decode(event(context={"device": "tv", "hour": 20})).context
    assert decode(event(context={"hour": 20, "device": "tv"})).context == one
    assert len(one) == 2
    assert decode(event(context={"device": "phone", "hour": 20})).context != one
    assert decode(event(context={"device": 20, "hour": "tv"})).context != one
    assert isinstance(decode(event(context={str(n): n for n in range(16)})), Interaction)


@pytest.mark.parametrize("empty", [{}, None, ...])
def test_no_context(empty: Any) -> None:
    """An empty, null or missing context is none."""
    assert decode(event(context=empty)).context == ()


# Items


def test_item() -> None:
    """An item event replaces the whole: what it leaves out is empty, available by default."""
    assert decode(item(), topic="items.books") == Item("books", "i")
    assert decode(item(title=None, text=None, available=None, vectors=None), topic="items.books") == Item(
        "books", "i"
    )
    full = item(title="T", text="words", available=False, vectors={"image": [1, 2.5]}, price=3)
    assert decode(full, topic="items.books") == Item(
        "books", "i", "T", "words", False, vectors={"image": (1.0, 2.5)}
    )


def test_tombstone_removes_the_item_its_key_names() -> None:
    """A null value removes the item of the record key."""
    decoded = decode(None, topic="items.movies", key="ü1".encode())
    assert decoded == Item("movies", "ü1", available=False, removed=True)


# Laws

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
            "title",
            "text",
            "available",
            "vectors",
            "other",
        ]
    ),
    JSON
    | st.sampled_from(["click", "rating", "u", "\ud800", "", "x" * 300, NOW, 3, 3.5, 10**30, 10**400])
    | st.dictionaries(st.text(max_size=3), st.floats() | st.text(max_size=3), max_size=20)
    | st.dictionaries(st.text(max_size=3), st.lists(st.floats(), max_size=4), max_size=10),
)


def check(decoded: object) -> None:
    """The whole law: one of three, and whatever passes is inside every limit of the contract."""
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
    elif isinstance(decoded, Forget):
        assert decoded.timestamp >= 10**11
    else:
        assert isinstance(decoded, Item)
        assert 1 <= len(decoded.item_id.encode()) <= 1024
        assert all(math.isfinite(x) for vector in decoded.vectors.values() for x in vector)


@settings(max_examples=100, deadline=None)
@given(st.none() | st.binary(max_size=200), TOPICS, KEYS, TIMES)
def test_any_bytes(value: bytes | None, topic: str, key: bytes | None, timestamp: int) -> None:
    """Any bytes on any topic, with any key and time, decode to one of three things."""
    check(DECODER.decode(Record(topic, 0, 0, timestamp, key, value)))


@settings(max_examples=100, deadline=None)
@given(FIELDS, TOPICS, KEYS, TIMES)
def test_any_json_object(fields: dict[str, Any], topic: str, key: bytes | None, timestamp: int) -> None:
    """So does any JSON object made of the contract's own field names, NaN and lone surrogates included."""
    check(DECODER.decode(Record(topic, 0, 0, timestamp, key, json.dumps(fields).encode())))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    """So does a valid record with some bytes replaced, cut out or put in."""
    value = bytearray(
        data.draw(st.sampled_from([event(context={"a": 1}), item(title="t", vectors={"a": [1]})]))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(value)))
        value[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    topic = data.draw(TOPICS)
    check(DECODER.decode(Record(topic, 0, 0, NOW, b"k", bytes(value))))


def test_every_reason_is_tested() -> None:
    """The closed list holds no reason that these tests never saw."""
    tested = {"unknown_domain", "no_timestamp"}
    for test in (test_rejected_interaction, test_rejected_item, test_rejected_request_to_forget):
        for mark in test.pytestmark:
            tested |= {case[-1] for case in mark.args[1]}
    assert tested == REASONS
