"""`crosscurrent check-event` says what an event is understood as, or which field to change and how."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import run

CONFIG = """
[domains.movies]
rating_range = [0.5, 5.0]
[domains.books]
interactions_topic = "shop"
[domains.books.interactions]
unwrap = "payload.after"
fields = { user_id = "uid", item_id = "sku" }
defaults = { type = "click" }
[events]
purchase = { as = "click", weight = 3 }
skip = { as = "skip" }
"""
CLICK = '{"type": "click", "user_id": "alice", "item_id": "dune"}'


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "c.toml"
    path.write_text(CONFIG)
    return str(path)


def test_a_click_is_understood() -> None:
    """Without a config an event of the contract is enough."""
    code, text = run("check-event", "-", given=CLICK)
    assert code == 0
    assert 'ok   line 1, interactions.any: click, user_id "alice", item_id "dune"' in text
    assert "1 read; 0 would become dead letters" in text


def test_without_a_config_every_number_is_a_rating() -> None:
    """And the message names no limits."""
    event = '{"type": "rating", "user_id": "u", "item_id": "i", "value": VALUE}'
    assert run("check-event", "-", given=event.replace("VALUE", "-1e9"))[0] == 0
    code, text = run("check-event", "-", given=event.replace("VALUE", '"4"'))
    assert code == 1
    assert "value: found a string, allowed: a number\n" in text


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        ('{"type": "click", "user_id": 12, "item_id": "i"}', "user_id: found a whole number"),
        ('{"type": "click", "user_id": 12, "item_id": "i"}', 'intake.ids = "any"'),
        (
            '{"type": "buy", "user_id": "u", "item_id": "i"}',
            'allowed: "click", "rating", "impression", "purchase" or "skip"',
        ),
        (
            '{"type": "rating", "user_id": "u", "item_id": "i", "value": 9}',
            "value: found 9, allowed: a number from 0.5",
        ),
        ('{"type": "click", "userId": "u", "item_id": "i"}', "not used: userId"),
        ('{"type": "click", "user_id": "u", "item_id": "i", "timestamp": 1700000000}', "multiply by 1,000"),
        ("{'type': 'click'}", "in double quotes"),
        ('{"type": "click", "user_id": [], "item_id": "i"}', "what to do: send the field as what is allowed"),
        ('{"type": "impression", "user_id": "u", "items": []}', "send one impression for each page"),
    ],
)
def test_a_wrong_event_names_the_field_and_what_to_do(config: str, event: str, wanted: str) -> None:
    """The exit code is 1."""
    code, text = run("check-event", "-", "--topic", "interactions.movies", "-c", config, given=event)
    assert code == 1
    assert "FAIL line 1" in text
    assert wanted in text


def test_each_line_has_its_verdict(config: str, tmp_path: Path) -> None:
    """Empty lines are skipped; one bad event makes the exit code 1."""
    path = tmp_path / "events.jsonl"
    path.write_text(f'{CLICK}\n\n{{"item_id": "dune", "title": "Dune"}}\n{{"type": "rating"}}\n')
    out = tmp_path / "out.json"
    code, text = run("check-event", str(path), "-c", config, "--json", str(out))
    assert code == 1
    assert "3 read; 1 would become dead letters" in text
    found = json.loads(out.read_text())
    assert [(one["line"], one["topic"], one["reason"]) for one in found] == [
        (1, "interactions.movies", ""),
        (3, "items.movies", ""),
        (4, "interactions.movies", "missing_field"),
    ]


def test_topics_are_guessed_by_their_fields(config: str) -> None:
    """Where the fields of a topic are elsewhere, an event that has them there is meant for it."""
    event = '{"payload": {"after": {"uid": "u", "sku": "i"}}}'
    code, text = run("check-event", "-", "-c", config, given=event)
    assert code == 0
    assert "ok   line 1, shop: click" in text


def test_what_is_left_unused_in_a_mapped_topic(config: str) -> None:
    """A field of the envelope's part to which no path leads is named, and those that are used are not."""
    after = {"uid": "u", "sku": "i", "user_id": "v", "note": "n", "items": [], "context": {"device": "tv"}}
    event = json.dumps({"payload": {"after": after, "op": "c"}})
    _, text = run("check-event", "-", "--topic", "shop", "-c", config, given=event)
    assert text.splitlines()[1].strip() == "not used: note, user_id"


def test_a_missing_envelope(config: str) -> None:
    """The advice is about the config, with the names that are there."""
    code, text = run("check-event", "-", "--topic", "shop", "-c", config, given='{"uid": "u", "sku": "i"}')
    assert code == 1
    assert 'missing_field: payload: missing (unwrap); found "uid", "sku"' in text
    assert (
        "what to do: ask the operator to set unwrap to the path that the record has, or to leave it out"
        in text
    )


@pytest.mark.parametrize("before", [{"uid": "u", "sku": "i"}, {"id": 7}, None])
def test_a_deleted_row_is_meant_for_the_topic_that_unwraps_it(config: str, before: dict[str, str]) -> None:
    """Debezium's `after` is null then; the row is in `before`, or only its primary key, or nothing."""
    event = json.dumps({"payload": {"op": "d", "before": before, "after": None}})
    code, text = run("check-event", "-", "-c", config, given=event)
    assert code == 0
    assert "ok   line 1, shop: says that a row was deleted" in text


def test_the_time_of_an_event_without_one(config: str) -> None:
    """There is no record yet whose time would count."""
    _, text = run("check-event", "-", "-c", config, given=CLICK)
    assert "Z), none given: the time of sending" in text


def test_a_guess_between_equals_is_told(config: str) -> None:
    """Items of both domains look alike."""
    _, text = run("check-event", "-", "-c", config, given='{"item_id": "dune", "title": "Dune"}')
    assert "instead of items.movies it may be items.books. --topic says which." in text


def test_own_types_are_told_with_what_they_count_as(config: str) -> None:
    """A purchase is a click, a skip is none."""
    event = '{"type": "TYPE", "user_id": "u", "item_id": "i"}'
    lines = "\n".join(event.replace("TYPE", name) for name in ("purchase", "skip"))
    code, text = run("check-event", "-", "--topic", "interactions.movies", "-c", config, given=lines)
    assert code == 0
    assert '"purchase" (a click)' in text
    assert '"skip" (a skip)' in text


def test_one_event_over_several_lines(config: str) -> None:
    """A file that is one object is one event."""
    code, text = run("check-event", "-", "-c", config, given=json.dumps(json.loads(CLICK), indent=2))
    assert code == 0
    assert "1 read; 0 would" in text


@pytest.mark.parametrize(
    ("words", "given", "wanted"),
    [
        (("--topic", "other"), CLICK, "no domain of the config owns it. It has inter"),
        ((), "\n", "no event"),
    ],
)
def test_what_cannot_be_looked_at(config: str, words: tuple[str, ...], given: str, wanted: str) -> None:
    """Exit code 2: nothing was judged."""
    code, text = run("check-event", "-", "-c", config, *words, given=given)
    assert code == 2
    assert wanted in text


def test_an_impression_is_understood(config: str) -> None:
    """Its topic is guessed from its fields."""
    seen = '{"type": "impression", "user_id": "alice", "items": ["dune", "emma"], "event_id": "p1"}'
    click = '{"type": "click", "user_id": "alice", "item_id": "emma", "impression": "p1"}'
    code, text = run("check-event", "-", "-c", config, given=f"{seen}\n{click}")
    assert code == 0, text
    assert 'interactions.movies: impression of 2 items, user_id "alice", first "dune", event_id "p1"' in text
    assert 'click, user_id "alice", item_id "emma", impression "p1"' in text
    assert "not used" not in text
