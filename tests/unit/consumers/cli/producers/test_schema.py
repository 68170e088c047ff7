"""What `crosscurrent schema` prints agrees with the decoder, event for event."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from consumers.config.loader import build
from consumers.dead_letters.sink import dead_letter
from consumers.events.record import Record
from consumers.events.rejection import Rejection
from consumers.formats.topic_reader import decoder_of
from tests.support.commands import run
from tests.support.decoding import NOW, event, item

CONFIG = """
[domains.movies]
rating_range = [0.5, 5.0]
[events]
purchase = { as = "click", weight = 3 }
"""
INTERACTIONS, ITEMS = "interactions.movies", "items.movies"
GOOD = [
    (INTERACTIONS, event()),
    (INTERACTIONS, event(value=0.5, timestamp=NOW, event_id="e", context={"device": "tv", "n": 3})),
    (INTERACTIONS, event(timestamp=float(NOW), event_id=None, context=None)),
    (INTERACTIONS, event(type="click", value="anything")),
    (INTERACTIONS, event(type="purchase", value=...)),
    (INTERACTIONS, event(extra=[1], user_id="x" * 256)),
    (INTERACTIONS, event(impression="p1")),
    (INTERACTIONS, event(type="impression", items=["i"] * 200)),
    (INTERACTIONS, event(type="impression", items=["i"], item_id=..., value=..., list_ts=NOW, event_id="p1")),
    (INTERACTIONS, event(type="impression", items=["i"], item_id=5, value="x", list_ts=None)),
    (ITEMS, item()),
    (ITEMS, item(title="t", text=None, available=False, vectors={"cover": [0.1, 2]})),
    (ITEMS, item(tags=["scifi", "x" * 64])),
    (ITEMS, item(tags=[])),
    (ITEMS, item(tags=" scifi , space opera,a," + "y" * 64)),
    (ITEMS, item(tags=None)),
]
BROKEN = [
    (INTERACTIONS, b"[]"),
    (INTERACTIONS, event(type="like")),
    (INTERACTIONS, event(type=...)),
    (INTERACTIONS, event(user_id=5)),
    (INTERACTIONS, event(user_id="")),
    (INTERACTIONS, event(item_id="x" * 257)),
    (INTERACTIONS, event(item_id=...)),
    (INTERACTIONS, event(value=...)),
    (INTERACTIONS, event(value="3")),
    (INTERACTIONS, event(value=True)),
    (INTERACTIONS, event(value=6)),
    (INTERACTIONS, event(timestamp="now")),
    (INTERACTIONS, event(timestamp=NOW + 0.5)),
    (INTERACTIONS, event(timestamp=NOW // 1000)),
    (INTERACTIONS, event(event_id=7)),
    (INTERACTIONS, event(event_id="")),
    (INTERACTIONS, event(context=[])),
    (INTERACTIONS, event(context={"a": True})),
    (INTERACTIONS, event(context={str(n): 1 for n in range(17)})),
    (INTERACTIONS, event(impression="")),
    (INTERACTIONS, event(type="impression")),
    (INTERACTIONS, event(type="impression", items=[])),
    (INTERACTIONS, event(type="impression", items=["i"] * 201)),
    (INTERACTIONS, event(type="impression", items=["i", 5])),
    (INTERACTIONS, event(type="impression", items=["i", "x" * 257])),
    (INTERACTIONS, event(type="impression", items=["i"], list_ts=NOW // 1000)),
    (INTERACTIONS, event(type="impression", items=["i"], user_id=...)),
    (ITEMS, b"{}"),
    (ITEMS, item(title=3)),
    (ITEMS, item(available="no")),
    (ITEMS, item(tags=[""])),
    (ITEMS, item(tags=["a,b"])),
    (ITEMS, item(tags=["x" * 65])),
    (ITEMS, item(tags=[str(n) for n in range(33)])),
    (ITEMS, item(tags="a,,b")),
    (ITEMS, item(tags="x" * 65)),
    (ITEMS, item(tags=",".join(str(n) for n in range(33)))),
    (ITEMS, item(tags=5)),
    (ITEMS, item(vectors={"a": []})),
    (ITEMS, item(vectors={"a": ["x"]})),
    (ITEMS, item(vectors={str(n): [1] for n in range(9)})),
]


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "c.toml"
    path.write_text(CONFIG)
    return str(path)


def printed(*words: str) -> Any:
    code, text = run("schema", *words)
    assert code == 0, text
    return json.loads(text)


def valid(schema: Any, value: bytes) -> bool:
    """Both drafts must read the schema in the same way."""
    parsed = json.loads(value)
    (answer,) = {kind(schema).is_valid(parsed) for kind in (Draft7Validator, Draft202012Validator)}
    return bool(answer)


@pytest.mark.parametrize(
    ("topic", "value", "good"), [(*x, True) for x in GOOD] + [(*x, False) for x in BROKEN]
)
def test_the_schema_agrees_with_the_decoder(config: str, topic: str, value: bytes, good: bool) -> None:
    """What passes the schema is understood, and what is broken fails it."""
    schema = printed("--topic", topic, "-c", config)
    Draft202012Validator.check_schema(schema)
    settings = build(
        {"domains": {"movies": {"rating_range": [0.5, 5]}}, "events": {"purchase": {"weight": 3}}}
    )
    decoded = decoder_of(settings, lambda: NOW / 1000).decode(Record(topic, 0, 0, NOW, b"u", value))
    assert isinstance(decoded, Rejection) != good
    assert valid(schema, value) == good


def test_whole_numbers_are_ids_where_the_config_takes_them(config: str) -> None:
    """With `intake.ids = "any"` the schema takes them too, and still no fractions."""
    Path(config).write_text('[intake]\nids = "any"\n' + CONFIG)
    schema = printed("--topic", INTERACTIONS, "-c", config)
    assert valid(schema, event(user_id=12, event_id=7, impression=8))
    assert valid(schema, event(user_id=12.0, event_id=None))
    assert valid(schema, event(type="impression", user_id=12, items=[5], event_id=7))
    assert not valid(schema, event(event_id=1.5))
    assert not valid(schema, event(user_id=1.5))
    assert not valid(schema, event(user_id=True))


def test_examples_of_a_schema_are_valid(config: str) -> None:
    """Each schema shows events that it takes."""
    schemas = printed("-c", config)["$defs"]
    shown = [(schema, one) for schema in schemas.values() for one in schema.get("examples", [])]
    assert len(shown) >= 4
    assert all(Draft202012Validator(schema).is_valid(one) for schema, one in shown)


def test_without_a_config_any_rating_passes() -> None:
    """No rating range is known."""
    schema = printed("--topic", "interactions.{domain}")
    assert valid(schema, event(value=1e9))
    assert not valid(schema, event(value="x"))


def test_without_a_config_a_domain_has_any_name() -> None:
    """The topics of every domain have the same schema."""
    for kind in ("interactions", "items"):
        assert printed("--topic", f"{kind}.books") == printed("--topic", f"{kind}.{{domain}}")
    code, text = run("schema", "--topic", "books")
    assert code == 2
    assert "there are interactions.{domain}, items.{domain}" in text


def test_the_schema_of_a_mapped_topic_says_what_it_describes(config: str) -> None:
    """It is that of the fields, not of the records as they are written; topics of the contract need no such note."""
    mapped = '[domains.movies.interactions]\nunwrap = "payload.after"\n[events]'
    Path(config).write_text(CONFIG.replace("[events]", mapped))
    schema = printed("--topic", INTERACTIONS, "-c", config)
    Draft202012Validator.check_schema(schema)
    assert "after [domains.movies.interactions] has found them (json)" in schema["description"]
    assert schema["$comment"] in schema["description"]
    assert "$comment" not in printed("--topic", ITEMS, "-c", config)


def test_a_topic_that_is_not_there(config: str) -> None:
    """The message names those that are."""
    code, text = run("schema", "--topic", "other", "-c", config)
    assert code == 2
    assert "interactions.movies, items.movies" in text


def references(document: Any) -> list[str]:
    """Return every `$ref` of a document."""
    if isinstance(document, dict):
        own = [document["$ref"]] if isinstance(document.get("$ref"), str) else []
        return own + [ref for value in document.values() for ref in references(value)]
    return [ref for value in document for ref in references(value)] if isinstance(document, list) else []


def at(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def test_asyncapi_has_every_topic(config: str) -> None:
    """Every topic is a channel with a message, every reference leads somewhere, and payloads are the schemas."""
    document = printed("--format", "asyncapi", "-c", config)
    assert document["asyncapi"] == "3.0.0"
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {INTERACTIONS, ITEMS, "crosscurrent.forget", "crosscurrent.dead-letters"}
    assert all(at(document, reference) for reference in references(document))
    payload = at(document, f"#/components/messages/{INTERACTIONS}")["payload"]
    assert payload == printed("-c", config)["$defs"][INTERACTIONS]
    assert {one["action"] for one in document["operations"].values()} == {"receive", "send"}


def test_headers_of_a_dead_letter_are_those_that_are_written(config: str) -> None:
    """A letter as the service writes it passes the schema of its headers."""
    document = printed("--format", "asyncapi", "-c", config)
    headers = document["components"]["messages"]["crosscurrent.dead-letters"]["headers"]
    letter = dead_letter(Record("t", 0, 7, NOW, None, None), "null_value", "the record: it has no value")
    written = {name: value.decode() for name, value in letter.headers}
    assert Draft202012Validator(headers).is_valid(written)
    assert not Draft202012Validator(headers).is_valid(written | {"reason": "whim"})
