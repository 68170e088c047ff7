"""Worlds with a subject: titles a person believes, and interest that fades at the domain's own pace."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from consumers.simulator.event_stream import Simulator
from consumers.simulator.presets import WorldOptions, scenario_world, world_settings
from consumers.simulator.scenarios.registry import SCENARIOS
from consumers.simulator.scenarios.scenario import NAMES
from consumers.simulator.world import World
from consumers.simulator.world_settings import DomainSpec, Drift, WorldSettings

END = 1_795_000_000_000
DAY_MS = 86_400_000


def titles(simulator: Simulator) -> dict[str, list[str]]:
    """Return the titles of all items by domain."""
    found: dict[str, list[str]] = {}
    for record in simulator.records():
        if record.kind == "items":
            row = msgspec.json.decode(record.value or b"")
            assert row["text"].startswith(row["title"])
            found.setdefault(record.domain, []).append(row["title"])
    return found


def fading(half_life: float | None, **changes: Any) -> WorldSettings:
    spec = DomainSpec("only", users=300, items=100, half_life_days=half_life)
    return WorldSettings(domains=(spec,), events=6000, events_per_day=1000, **changes)


@pytest.mark.parametrize("name", NAMES)
def test_titles_are_new_and_words_are_whole(name: str) -> None:
    """No two items of a domain share a title; nothing of a template is left; each fits a line of a terminal or two."""
    found = titles(Simulator(scenario_world(name, 2_000)))
    assert set(found) == set(SCENARIOS[name].half_lives)
    for of_domain in found.values():
        assert len(of_domain) == len(set(of_domain))
        assert not [title for title in of_domain if "{" in title or "|" in title or "  " in title]
        assert all(title[0] == title[0].upper() for title in of_domain)
        assert max(map(len, of_domain)) < 100


def test_each_scenario_has_a_cadence_of_its_own() -> None:
    """Interest in news halves within hours, in courses within months."""
    fastest = {name: min(scenario.half_lives.values()) for name, scenario in SCENARIOS.items()}
    assert fastest["news"] < 0.5 < fastest["search"] < 3 < fastest["shop"] < 45 < fastest["courses"]
    assert SCENARIOS["social"].half_lives["posts"] < SCENARIOS["social"].half_lives["people"]


def test_interest_halves_with_age() -> None:
    """With a half-life of 1 day of 1,000 events, an item is offered half as often 1,000 events later."""
    world = World(fading(1.0))
    domain = world.domains[0]
    early, late = domain.interest(2_000), domain.interest(3_000)
    there = early > 0
    assert late[there] == pytest.approx(early[there] / 2)
    assert domain.born is not None
    assert np.array_equal(there, domain.born <= 2_000)


def test_an_item_comes_before_its_events_and_old_ones_are_left() -> None:
    """No event of an item precedes the item; chosen items are young compared with those of a slow domain."""
    simulator = Simulator(fading(0.5))
    there: set[str] = set()
    for record in simulator.records():
        row = msgspec.json.decode(record.value or b"")
        if record.kind == "items":
            assert row["item_id"] not in there
            there.add(row["item_id"])
        else:
            assert row["item_id"] in there
    assert len(there) == 100
    ages = {}
    for half_life in (0.5, 5.0):
        world = World(fading(half_life))
        items = np.concatenate([draw.item for draw in world.draws()])[3_000:]
        born = world.domains[0].born
        assert born is not None
        ages[half_life] = float(np.median(np.arange(3_000, 6_000) - born[items]))
    assert ages[0.5] < 1_000 < ages[5.0]


def test_without_a_half_life_all_items_are_there_first() -> None:
    """The default world's stream holds events only."""
    assert {record.kind for record in Simulator(fading(None)).events()} == {"interactions"}
    assert World(fading(None)).domains[0].born is None


def test_the_stream_ends_when_it_is_told_to() -> None:
    """`simulate` ends now or at `--end`, over as many days as the scenario lasts, however many events there are."""
    for events in (500, 2_000):
        made = world_settings(WorldOptions(events=events, scenario="courses", end_ms=END))
        times = [r.timestamp or 0 for r in Simulator(made).events() if r.kind == "interactions"]
        assert abs(times[-1] - END) <= 1
        assert (times[-1] - times[0]) / DAY_MS == pytest.approx(365, rel=0.01)
    assert world_settings(WorldOptions(events=500, end_ms=END)) == world_settings(
        WorldOptions(events=500, end_ms=END)
    )


def test_a_file_that_says_when_it_begins_keeps_its_times(tmp_path: Any) -> None:
    """Unless an end is given."""
    path = tmp_path / "world.toml"
    path.write_text('events = 100\nstart_ms = 1_700_000_000_000\n[[domains]]\nname = "a"\n')
    assert world_settings(WorldOptions(path)).start_ms == 1_700_000_000_000
    assert world_settings(WorldOptions(path, end_ms=END)).ending_at(END).start_ms != 1_700_000_000_000


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"words": "poems"}, "choose from stories, news"),
        ({"words": "news"}, "no titles for only"),
        ({"drift": (Drift("only"),)}, "cannot reshuffle"),
        ({"domains": (DomainSpec("only", half_life_days=0.0),)}, "half_life_days"),
        ({"domains": (DomainSpec("articles"),), "words": "news", "dim": 8}, "dim must be at most 4"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], why: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match=why):
        Simulator(msgspec.structs.replace(fading(1.0), **changes))
