"""Bytes become an Interaction, an Item or a Forget; faults in unused parts do no harm."""

from __future__ import annotations

import math
from typing import Any

import pytest

from consumers.events.attributes import CONTEXT_BUCKETS
from consumers.events.decode import Forget
from consumers.events.rejection import Rejection
from models.schema import Interaction, Item
from tests.support.decoding import (
    CLOCK,
    MARK,
    NOW,
    decode,
    event,
    item,
    reason,
)

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


def test_a_request_to_forget() -> None:
    """A valid request becomes a Forget with mark and time."""
    request = decode(b'{"timestamp": %d}' % NOW, topic="crosscurrent.forget", key=MARK.encode())
    assert request == Forget(MARK, NOW)


def test_a_record_without_any_time_needs_its_own() -> None:
    """In a log without timestamps (-1) the event must have one, and the clock alone limits the future."""
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
    """If a producer sends microseconds as milliseconds, the record's time is not believed either."""
    assert reason(event(timestamp=own), timestamp=NOW * 1000) == "future_timestamp"
    latest = int(1000 * CLOCK.now) + 300_000
    assert isinstance(decode(event(timestamp=own), timestamp=latest), Interaction)
    assert reason(event(timestamp=own), timestamp=latest + 1) == "future_timestamp"


def test_an_event_ahead_of_the_clock_and_not_of_its_record() -> None:
    """The event's own time is compared with the clock too."""
    ahead = int(1000 * CLOCK.now) + 300_001
    assert reason(event(timestamp=ahead), timestamp=ahead - 2) == "future_timestamp"
    request = b'{"timestamp": %d}' % ahead
    where = {"topic": "crosscurrent.forget", "key": MARK.encode(), "timestamp": ahead - 2}
    assert reason(request, **where) == "future_timestamp"


@pytest.mark.parametrize("form", ["%d.0", "%d.000", "%de0", "17e11"])
def test_whole_floats_are_whole_numbers(form: str) -> None:
    """A time with a decimal point, as other languages write it, is the same time."""
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
    """A lone surrogate in a field of the producer's own loses no event."""
    assert decode(event(note="\ud800")) == decode(event())
    full = decode(item(title="T", price=math.nan, note="\udfff"), topic="items.books")
    assert full == Item("books", "i", "T")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 10**400])
def test_a_context_number_that_says_nothing(number: Any) -> None:
    """A context number that is not finite is left out, and the event counts."""
    assert decode(event(context={"age": number, "device": "tv"})) == decode(event(context={"device": "tv"}))


def test_the_limit_on_bytes_is_inclusive() -> None:
    """A record of exactly max_record_bytes is read."""
    body = event()
    assert isinstance(decode(body + b" " * (524_288 - len(body))), Interaction)


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
    """An item event replaces the whole item: missing fields are empty, and it is available by default."""
    assert decode(item(), topic="items.books") == Item("books", "i")
    assert decode(item(title=None, text=None, available=None, vectors=None), topic="items.books") == Item(
        "books", "i"
    )
    for tags in (["space", "old", "space"], "space, old"):
        assert decode(item(tags=tags), topic="items.books") == Item("books", "i", tags=("space", "old"))
    full = item(title="T", text="words", available=False, vectors={"image": [1, 2.5]}, price=3)
    assert decode(full, topic="items.books") == Item(
        "books", "i", "T", "words", False, vectors={"image": (1.0, 2.5)}
    )


def test_tombstone_removes_the_item_its_key_names() -> None:
    """A null value removes the item of the record key."""
    decoded = decode(None, topic="items.movies", key="ü1".encode())
    assert decoded == Item("movies", "ü1", available=False, removed=True)
