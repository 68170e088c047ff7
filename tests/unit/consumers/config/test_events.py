"""`[events]`: types of the producers' own, by name, in the file and in the environment."""

from __future__ import annotations

from typing import Any

import pytest

from consumers.config.loader import build
from consumers.events.decode import Decoder
from consumers.events.record import Record
from consumers.events.rejection import Rejection
from consumers.events.rules import rules_of
from consumers.formats.topic_reader import decoder_of
from models.schema import Interaction
from tests.support.configs import MOVIES, refused, with_environ
from tests.support.decoding import NOW, event, item

TYPES = {"view": {"as": "click", "weight": 0.2}, "skip": {"as": "skip"}}


def decoder(**config: Any) -> Decoder:
    settings = build(MOVIES | config)
    return Decoder(settings.topics(), settings.domain_list(), rules_of(settings), clock=lambda: NOW / 1000)


def decoded(value: bytes, kind: str = "interactions", **config: Any) -> Any:
    return decoder(**config).decode(Record(f"{kind}.movies", 0, 0, NOW, b"u", value))


def test_own_types_are_decoded() -> None:
    """A view is a click, a skip a skip; both keep their name, and need no value."""
    for name, kind in (("view", "click"), ("skip", "skip")):
        found = decoded(event(type=name, value=...), events=TYPES)
        assert (found.kind, found.own_type, found.value) == (kind, name, None)
    plain = decoded(event(type="click"), events=TYPES)
    assert (plain.kind, plain.own_type) == ("click", "")


def test_names_of_a_mapped_topic_may_mean_own_types() -> None:
    """They count as the type of [events] that they are translated to."""
    domains = {"movies": {"interactions": {"types": {"buy": "view", "pass": "skip"}}}}
    decode = decoder_of(build({"domains": domains, "events": TYPES}), lambda: NOW / 1000).decode
    found = decode(Record("interactions.movies", 0, 0, NOW, b"u", event(type="buy", value=...)))
    assert (found.kind, found.own_type) == ("click", "view")  # type: ignore[union-attr]
    assert "'view' is none of click, rating, impression" in refused({"domains": domains})


def test_other_types_are_dead_letters_that_name_the_types_there_are() -> None:
    """With the config's types."""
    found = decoded(event(type="buy"), events=TYPES)
    assert found.detail == 'type: found "buy", allowed: "click", "rating", "impression", "view" or "skip"'


def test_nan_in_the_value_of_an_own_type_does_no_harm() -> None:
    """It is ignored, as that of a click is."""
    assert isinstance(decoded(event(type="view", value=float("nan")), events=TYPES), Interaction)


def test_the_environment() -> None:
    """Each key of a type, as all others."""
    settings = with_environ(EVENTS__VIEW__WEIGHT="0.5", EVENTS__VIEW__AS="click")
    assert settings.events["view"].weight == 0.5


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        ({"view": {"as": "buy"}}, "events.view.as: 'buy' is none of click, skip"),
        ({"view": {"weigth": 1}}, "events.view.weigth: unknown key"),
        ({"view": {"weight": 0}}, "events.view.weight: must be from 0.01 to 100"),
        ({"view": {"weight": float("nan")}}, "events.view.weight: must be from"),
        ({"click": {}}, "events.click: this type has its meaning"),
        ({"a b": {}}, "events.a b: a name has"),
        ({f"t{n}": {} for n in range(101)}, "events: at most 100 types"),
    ],
)
def test_what_cannot_be(types: dict[str, Any], wanted: str) -> None:
    """Named by its key."""
    assert wanted in refused(MOVIES | {"events": types})


@pytest.mark.parametrize("number", [0, 7, -3, 10**18, 10**30])
def test_whole_numbers_as_ids(number: int) -> None:
    """With `intake.ids = "any"` they are their decimal text; text stays text."""
    config = {"intake": {"ids": "any"}}
    found = decoded(event(user_id=number, item_id=number), **config)
    assert (found.user, found.item) == (str(number), str(number))
    assert decoded(item(item_id=number), "items", **config).item_id == str(number)
    assert decoded(event(user_id="007"), **config).user == "007"
    found = decoded(event(event_id=number, impression=number), **config)
    assert (found.event_id, found.impression) == (str(number), str(number))
    shown = decoded(event(type="impression", items=[number], event_id=number), **config)
    assert (shown.items, shown.event_id) == ((str(number),), str(number))


def test_a_whole_number_may_be_written_with_decimals() -> None:
    """12.0 is 12, as in files."""
    found = decoded(event(item_id=12.0, event_id=7.0), intake={"ids": "any"})
    assert (found.item, found.event_id) == ("12", "7")
    assert decoded(item(item_id=12.0), "items", intake={"ids": "any"}).item_id == "12"


@pytest.mark.parametrize("value", [1.5, 2.0**53, True, None, [1], 10**300])
def test_other_things_are_still_no_ids(value: Any) -> None:
    """Fractions, true, null, arrays, and numbers of more than 256 digits."""
    found = decoded(event(user_id=value), intake={"ids": "any"})
    assert isinstance(found, Rejection)
    assert found.detail.startswith("user_id: ")
    if found.reason == "wrong_type":
        assert found.detail.endswith("allowed: a string of 1 to 256 characters, or a whole number")
    missing = decoded(event(item_id=...), intake={"ids": "any"})
    assert missing.detail == "item_id: missing, allowed: a string of 1 to 256 characters, or a whole number"


def test_a_number_says_which_option_takes_it() -> None:
    """By default ids are strings only."""
    for found in (decoded(event(item_id=5)), decoded(item(item_id=5), "items")):
        assert found.reason == "wrong_type"
        assert "item_id: found a whole number" in found.detail
        assert 'intake.ids = "any"' in found.detail
