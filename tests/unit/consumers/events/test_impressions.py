"""Impressions are decoded within the limits of the contract, from JSON and from other formats."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from consumers.config.loader import build
from consumers.errors import Stop
from consumers.events.decode import Decoded
from consumers.events.record import Record
from consumers.events.rejection import Rejection
from consumers.formats.topic_reader import decoder_of
from models.schema import Impression, Interaction
from serving.client.pseudonyms import Pseudonyms
from tests.support.decoding import NOW, check, decode, event
from tests.support.log.formats import Topic

BARE = {"type": "impression", "user_id": "u", "items": ["a", "b", "c"]}


def shown(**fields: Any) -> bytes:
    """Return a valid impression with these fields changed; `...` leaves a field out."""
    return json.dumps({k: v for k, v in (BARE | fields).items() if v is not ...}).encode()


def test_an_impression() -> None:
    """Without a time of its own it has the record's; the order of items stays."""
    assert decode(shown()) == Impression("movies", "u", ("a", "b", "c"), NOW)
    whole = shown(timestamp=NOW - 5, list_ts=float(NOW - 900), event_id="p1", extra=[{"x": 1}])
    assert decode(whole) == Impression("movies", "u", ("a", "b", "c"), NOW - 5, NOW - 900, "p1")


def test_fields_that_are_null_count_as_missing() -> None:
    assert decode(shown(timestamp=None, list_ts=None, event_id=None)) == decode(shown())


def test_two_hundred_items_and_one_that_is_there_twice() -> None:
    """The page decides what it shows; the limit is 200."""
    most = [f"i{n}" for n in range(199)] + ["i0"]
    decoded = decode(shown(items=most))
    assert isinstance(decoded, Impression)
    assert decoded.items == tuple(most)


def test_an_impression_with_the_fields_of_a_click_is_one() -> None:
    """Its type decides: an item_id is an unknown field of impressions, as a `value` is."""
    assert decode(shown(item_id="a", value=math.nan)) == decode(shown())
    assert decode(shown(item_id="a", value=3)) == decode(shown())


def test_a_click_with_two_faults_is_refused_for_the_first() -> None:
    """The search for its type must not take the place of what was wrong with it: here an id, and then the end."""
    rejected = decode(b'{"type":"click","user_id":5,"item_id":')
    assert isinstance(rejected, Rejection)
    assert rejected.reason == "wrong_type"
    assert rejected.detail.startswith("user_id: ")


def test_a_click_may_name_its_impression() -> None:
    """A rating may too, and other events are as before."""
    click = decode(event(type="click", impression="p1"))
    assert isinstance(click, Interaction)
    assert (click.kind, click.item, click.impression) == ("click", "i", "p1")
    rating = decode(event(impression="p1"))
    assert isinstance(rating, Interaction)
    assert (rating.value, rating.impression) == (3.0, "p1")
    assert decode(event(impression=None)) == decode(event())


@pytest.mark.parametrize(
    ("value", "reason", "told"),
    [
        (shown(items=[]), "bad_items", "items: found 0 items, allowed: an array of 1 to 200"),
        (shown(items=[str(n) for n in range(201)]), "bad_items", "items: found 201 items"),
        (shown(items=...), "missing_field", "items: missing, allowed: an array"),
        (shown(user_id=...), "missing_field", "user_id: missing"),
        (shown(items="a"), "wrong_type", "items: found a string"),
        (shown(items=None), "wrong_type", "items: found null"),
        (shown(items=["a", 5]), "wrong_type", 'intake.ids = "any"'),
        (shown(items=["a", None]), "wrong_type", "items: found null"),
        (shown(items=["a", ["b"]]), "wrong_type", "items: found an array"),
        (shown(items=["a", ""]), "bad_id", "items: found 0 characters"),
        (shown(items=["a", "x" * 257]), "bad_id", "items: found 257 characters"),
        (shown(items=["a", "\ud800"]), "bad_id", "items: found a lone surrogate"),
        (shown(items=[math.nan]), "not_finite", "items: found nan"),
        (shown(event_id=7), "wrong_type", "event_id: found a whole number"),
        (shown(event_id=""), "bad_id", "event_id: found 0 characters"),
        (shown(list_ts="now"), "wrong_type", "list_ts: found a string"),
        (shown(list_ts=NOW + 0.5), "wrong_type", "list_ts: found"),
        (shown(list_ts=NOW // 1000), "timestamp_in_seconds", "list_ts: found"),
        (shown(list_ts=NOW + 301_000), "future_timestamp", "at most 5 minutes after the timestamp"),
        (shown(list_ts=10**30), "future_timestamp", "list_ts: found"),
        (shown(list_ts=10**400), "future_timestamp", "list_ts: found 1000"),
        (shown(timestamp=NOW + 301_000), "future_timestamp", "timestamp: found"),
        (shown(timestamp=NOW // 1000), "timestamp_in_seconds", "timestamp: found"),
        (event(impression=""), "bad_id", "impression: found 0 characters"),
        (event(impression=3), "wrong_type", "impression: found a whole number"),
        (event(impression="\udfff"), "bad_id", "impression: found a lone surrogate"),
        (event(type="impressions"), "unknown_type", '"click", "rating", "impression", or a type'),
        (shown()[:-1], "malformed_json", "the record"),
    ],
)
def test_what_is_refused(value: bytes, reason: str, told: str) -> None:
    """Each with a reason, and words that name the field."""
    decoded = decode(value)
    check(decoded)
    assert isinstance(decoded, Rejection), decoded
    assert decoded.reason == reason
    assert told in decoded.detail


def test_what_is_not_used_does_no_harm() -> None:
    """NaN in a field of the producer's own loses no impression."""
    assert decode(shown(score=math.nan)) == decode(shown())
    assert decode(shown(score=10**400)) == decode(shown())


def test_numbers_are_ids_where_the_config_takes_them() -> None:
    """In items as elsewhere."""
    settings = build({"domains": {"movies": {}}, "intake": {"ids": "any"}})
    value = shown(user_id=7, items=[12, "b"])
    found = decoder_of(settings, lambda: NOW / 1000).decode(record(value))
    assert found == Impression("movies", "7", ("12", "b"), NOW)


def record(value: bytes) -> Record:
    return Record("interactions.movies", 0, 0, NOW, b"u", value)


def test_pseudonyms_stand_for_users_and_event_ids() -> None:
    """A click still names its impression: both ids become the same hash."""
    settings = build({"domains": {"movies": {}}, "privacy": {"key": "0123456789abcdef"}})
    decoder = decoder_of(settings, lambda: NOW / 1000)
    seen = decoder.decode(record(shown(event_id="u-1")))
    click = decoder.decode(record(event(type="click", impression="u-1")))
    assert isinstance(seen, Impression)
    assert isinstance(click, Interaction)
    assert seen.user == click.user == Pseudonyms("0123456789abcdef").inside("u") != "u"
    assert seen.event_id == click.impression != "u-1"


# Other formats


def test_fields_by_other_names() -> None:
    """`fields`, `types` and `defaults` serve impressions as they serve events; numbers are ids there."""
    config: dict[str, Any] = {
        "fields": {"user_id": "uid", "item_id": "sku", "items": "page.skus", "impression": "view"},
        "types": {"page_view": "impression", "open": "click"},
    }

    def read(**value: Any) -> Decoded:
        return Topic(interactions=config).event(json.dumps(value).encode())

    page = {"skus": [1, "b"]}
    found = read(type="page_view", uid=7, page=page, event_id=3, list_ts="2023-11-14T22:00:00Z")
    assert found == Impression("movies", "7", ("1", "b"), NOW, 1_699_999_200_000, "3")
    click = read(type="open", uid=7, sku=1, view=3)
    assert click == Interaction("movies", "click", "7", "1", NOW, impression="3")
    lost = read(type="page_view", uid=7)
    assert isinstance(lost, Rejection)
    assert lost.reason == "missing_field"
    assert lost.detail.endswith("looked for at page.skus")
    assert read(type="page_view", uid=7, page={"skus": None}) == lost
    wrong = read(type="page_view", uid=7, page={"skus": [{"sku": 1}]})
    assert isinstance(wrong, Rejection)
    assert wrong.reason == "wrong_type"


def test_a_type_of_the_producers_own_is_not_called_impression() -> None:
    """Its name has a meaning."""
    with pytest.raises(Stop, match=r"events\.impression: this type has its meaning"):
        build({"domains": {"movies": {}}, "events": {"impression": {"weight": 1}}})
