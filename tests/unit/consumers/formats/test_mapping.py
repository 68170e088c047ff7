"""JSON of another shape is read: renamed fields, envelopes, deletions, and helpful rejections."""

from __future__ import annotations

import json
from typing import Any

import pytest

from consumers.events.decode import Skipped
from consumers.events.rejection import Rejection
from models.schema import Interaction, Item
from tests.support.log.formats import NOW, Topic

RENAMED: dict[str, Any] = {
    "fields": {"user_id": "uid", "item_id": "sku", "value": "stars"},
    "defaults": {"type": "rating"},
}
DEBEZIUM: dict[str, Any] = RENAMED | {"unwrap": "payload.after"}
ROW = {"uid": "u", "sku": "i", "stars": 4}
RATING = Interaction("movies", "rating", "u", "i", NOW, 4.0)


def event(value: Any, **config: Any) -> Any:
    return Topic(interactions=config).event(json.dumps(value).encode())


def item(value: Any, key: bytes | None = b"k", **config: Any) -> Any:
    data = None if value is None else json.dumps(value).encode()
    return Topic(items=config).item(data, key)


def test_fields_by_other_names() -> None:
    """Renamed fields are found, others keep their name, defaults fill what is missing."""
    assert event(ROW, **RENAMED) == RATING
    assert event(ROW | {"type": "click"}, **RENAMED) == Interaction("movies", "click", "u", "i", NOW)
    assert event(ROW | {"user_id": "another"}, **RENAMED) == RATING
    found = event(ROW | {"event_id": "e", "context": {"device": "tv"}, "timestamp": NOW - 5}, **RENAMED)
    assert (found.event_id, len(found.context), found.timestamp) == ("e", 1, NOW - 5)


def test_nested_fields_and_the_first_of_several() -> None:
    """A dotted path goes down; of several paths the first value that is not null counts."""
    fields = {"user_id": ["user.id", "uid"], "item_id": "product.sku.code"}
    config: dict[str, Any] = {"fields": fields, "defaults": {"type": "click"}}
    product = {"product": {"sku": {"code": "i"}}}
    click = Interaction("movies", "click", "u", "i", NOW)
    assert event(product | {"user": {"id": "u"}, "uid": "other"}, **config) == click
    assert event(product | {"uid": "u"}, **config) == click
    assert event(product | {"user": {"id": None}, "uid": "u"}, **config) == click
    assert event(product | {"user": "someone", "uid": "u"}, **config) == click


def test_names_of_types() -> None:
    """A producer's own type names are translated; a name that is not in the table stays."""
    config = {"types": {"purchase": "click", "review": "rating"}}
    base = {"user_id": "u", "item_id": "i", "value": 4}
    assert event(base | {"type": "purchase"}, **config) == Interaction("movies", "click", "u", "i", NOW)
    assert event(base | {"type": "review"}, **config) == RATING
    assert event(base | {"type": "rating"}, **config) == RATING
    assert event(base | {"type": "view"}, **config).reason == "unknown_type"


@pytest.mark.parametrize("envelope", [{}, {"schema": {"type": "struct"}}])
def test_debezium(envelope: dict[str, Any]) -> None:
    """Debezium's row after the change counts, whether it was read, inserted or changed."""
    for op in "rcu":
        value = envelope | {"payload": {"op": op, "before": None, "after": ROW, "ts_ms": NOW}}
        assert event(value, **DEBEZIUM) == RATING


def test_debezium_deletes() -> None:
    """A deleted row of interactions and its tombstone are skipped; a deleted item is removed."""
    deleted = {"payload": {"op": "d", "before": {"sku": 7, "uid": "u"}, "after": None}}
    gone = Item("movies", "7", available=False, removed=True)
    topic = Topic(interactions=DEBEZIUM, items={"unwrap": "payload.after", "fields": {"item_id": "sku"}})
    data = json.dumps(deleted).encode()
    assert topic.event(data) == topic.event(None) == Skipped("movies")
    assert topic.item(data) == gone
    keys = [b'{"schema": {}, "payload": {"sku": 7}}', b'{"sku": 7}', b"7"]
    assert [topic.item(None, key) for key in keys] == [gone] * 3
    without = json.dumps({"payload": {"op": "d", "before": None, "after": None}}).encode()
    assert [topic.item(without, key) for key in keys] == [gone] * 3


@pytest.mark.parametrize(
    ("key", "reason"),
    [(None, "null_value"), (b'{"x": 1}', "bad_id"), (b"\xff", "bad_id"), (b"{", "malformed_json")],
)
def test_a_tombstone_that_names_nothing(key: bytes | None, reason: str) -> None:
    """A tombstone without an id in its key is a dead letter."""
    assert item(None, key, unwrap="after").reason == reason


def test_cloud_events() -> None:
    """In CloudEvents' structured mode the fields are in `data`, and `$.` reaches those of the envelope."""
    value = {"specversion": "1.0", "id": "7f3a", "time": "2023-11-14T22:13:20Z", "data": ROW}
    fields = RENAMED["fields"] | {"event_id": "$.id", "timestamp": "$.time"}
    found = event(value, **RENAMED | {"unwrap": "data", "fields": fields})
    assert found == Interaction("movies", "rating", "u", "i", NOW, 4.0, "7f3a")


def test_items() -> None:
    """Items are mapped by the same rules."""
    value = {"data": {"sku": 12, "name": "Dune", "about": {"long": "worms"}, "stock": False}}
    fields = {"item_id": "sku", "title": "name", "text": ["about.short", "about.long"], "available": "stock"}
    assert item(value, unwrap="data", fields=fields) == Item("movies", "12", "Dune", "worms", available=False)


@pytest.mark.parametrize(
    ("given", "wanted"), [(12, "12"), (-1, "-1"), ("x", "x"), (10**30, str(10**30)), (12.0, "12")]
)
def test_numbers_as_ids(given: Any, wanted: str) -> None:
    """A whole number of any length becomes its decimal text."""
    assert event(ROW | {"uid": given}, **RENAMED).user == wanted


@pytest.mark.parametrize("given", ["4", "4.0", "+4", "40e-1"])
def test_a_number_as_text(given: str) -> None:
    """Debezium writes decimals so with `decimal.handling.mode=string`. In a click's value any text does no harm."""
    assert event(ROW | {"stars": given}, **RENAMED) == RATING
    assert event(ROW | {"stars": "9" * 400}, **RENAMED).reason == "not_finite"
    click = event(ROW | {"stars": given, "type": "click"}, **RENAMED)
    assert click == Interaction("movies", "click", "u", "i", NOW)


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        ({"payload": {}}, "missing_field", "payload.after: missing (unwrap); found nothing"),
        ({"after": ROW}, "missing_field", 'payload: missing (unwrap); found "after"'),
        (
            {"x" * 50: 1} | {str(n): n for n in range(8)},
            "missing_field",
            f'payload: missing (unwrap); found "{"x" * 40}"…, "0", "1", "2", "3", "4", "5", "6" and 1 more',
        ),
        ({"payload": []}, "wrong_type", "payload: found an array, allowed: an object"),
        ({"payload": {"after": "x"}}, "wrong_type", "payload.after: found a string, allowed: an object"),
        ([], "wrong_type", "the record: found an array, allowed: an object"),
        (
            {"payload": {"after": {"sku": "i"}}},
            "missing_field",
            "user_id: missing, allowed: a string of 1 to 256 characters, or a whole number; looked for at uid",
        ),
        (
            {"payload": {"after": ROW | {"uid": True}}},
            "wrong_type",
            "user_id: found true or false, allowed: a string of 1 to 256 characters, or a whole number",
        ),
        (
            {"payload": {"after": ROW | {"uid": 1.5}}},
            "wrong_type",
            "user_id: found a number, allowed: a string of 1 to 256 characters, or a whole number",
        ),
        (
            {"payload": {"after": ROW | {"stars": "4,5"}}},
            "wrong_type",
            "value: found a string, allowed: a number from 1 to 5",
        ),
        (
            {"payload": {"after": ROW | {"stars": 9}}},
            "out_of_range",
            "value: found 9, allowed: a number from 1 to 5",
        ),
        (
            {"payload": {"after": ROW | {"stars": float("nan")}}},
            "not_finite",
            "value: found nan, allowed: a finite number",
        ),
        (
            {"payload": {"after": ROW | {"timestamp": "noon"}}},
            "wrong_type",
            "timestamp: found a string, allowed: ms since the epoch, a whole number",
        ),
        (
            {"payload": {"after": ROW | {"context": {"a": []}}}},
            "wrong_type",
            'context: found an array in "a", allowed: an object of at most 16 numbers or strings',
        ),
    ],
)
def test_what_a_producer_is_told(value: Any, reason: str, detail: str) -> None:
    """A detail names the path, what was found and what is allowed."""
    assert event(value, **DEBEZIUM) == Rejection(reason, "movies", detail)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'{"a": [' * 100_000])
def test_no_json(data: bytes) -> None:
    """A value that is not JSON is reported as in other topics."""
    there, plain = Topic(interactions=DEBEZIUM).event(data), Topic().event(data)
    assert isinstance(there, Rejection)
    assert isinstance(plain, Rejection)
    assert there.reason == plain.reason


def test_what_is_not_used_loses_no_event() -> None:
    """NaN in unused places, in a click's value or in the context, and large integers, do no harm."""
    nan = float("nan")
    assert event(ROW | {"other": nan, "more": [10**400]}, **RENAMED) == RATING
    assert event(ROW | {"context": {"a": nan}}, **RENAMED) == RATING
    click = ROW | {"stars": nan, "type": "click"}
    assert event(click, **RENAMED) == Interaction("movies", "click", "u", "i", NOW)
