"""When a topic of items is read anew, items that came again stay, and the others are removed."""

from __future__ import annotations

import json
from collections.abc import Set
from typing import Any

import pytest

from consumers.config.loader import build
from consumers.events.record import Offsets, Record
from consumers.service.pipeline import Pipeline
from models.schema import Item
from tests.support.doubles import ListSource
from tests.support.service.pipelines import list_pipeline

MOVIES, BOOKS = "items.movies", "items.books"
START = 1_700_000_000_000


class Again(ListSource):
    """A source in a list whose topics `being` are read anew."""

    def __init__(self) -> None:
        self.list: list[Record] = []
        self.being: set[str] = set()
        self.told: list[Offsets] = []
        super().__init__(self.list)

    def anew(self) -> Set[str]:
        return self.being

    def learned(self, offsets: Offsets) -> None:
        self.told.append(dict(offsets))


class World:
    """Make a pipeline that has learned three items of movies, one of books, and one of movies from a file."""

    def __init__(self) -> None:
        self.source = Again()
        config = {"domains": {"movies": {}, "books": {"role": "target"}}, "intake": {"batch_events": 1}}
        self.pipeline: Pipeline = list_pipeline(build(config), self.source)
        self.pipeline.restore()
        self.pipeline.arms.put_item(Item("movies", "file", "of a file"))
        self.put(MOVIES, "m0", "m1", "m2")
        self.put(BOOKS, "m0")

    def put(self, topic: str, *names: str) -> None:
        for name in names:
            self.record(topic, name.encode(), json.dumps({"item_id": name, "title": name}).encode())

    def record(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        n = len(self.source.list)
        self.source.list.append(Record(topic, 0, n, START + n, key, value))
        self.pipeline.step()

    def begin(self, *topics: str) -> None:
        self.source.being |= {*topics}
        self.pipeline.step()

    def end(self, topic: str) -> None:
        self.source.being.remove(topic)
        self.pipeline.step()

    def left(self, domain: str = "movies") -> set[str]:
        full: Any = self.pipeline.arms.full
        index = full.index[domain]
        catalogue = full.catalogues[index]
        return {name for name, row in catalogue.ids.items() if not full.intake.removed(index, row)}


@pytest.fixture
def world() -> World:
    return World()


def test_what_did_not_come_again_is_removed_at_the_end(world: World) -> None:
    """At the end of the reading, missing items of this topic are removed, but not those of a file."""
    world.begin(MOVIES)
    assert [place for place in world.pipeline.offsets if place[0] == MOVIES] == []
    world.put(MOVIES, "m1")
    assert world.left() == {"m0", "m1", "m2", "file"}
    world.end(MOVIES)
    assert world.left() == {"m1", "file"}
    assert world.left("books") == {"m0"}
    assert world.source.told[-1][BOOKS, 0] == 4
    world.put(MOVIES, "m0")
    assert world.left() == {"m0", "m1", "file"}


def test_topics_are_followed_each_by_itself(world: World) -> None:
    """One reading ends while another goes on, although both topics have an item of the same name."""
    world.begin(MOVIES, BOOKS)
    world.put(MOVIES, "m0", "m1", "m2")
    world.end(MOVIES)
    assert (world.left(), world.left("books")) == ({"m0", "m1", "m2", "file"}, {"m0"})
    world.end(BOOKS)
    assert (world.left(), world.left("books")) == ({"m0", "m1", "m2", "file"}, set())


def test_a_record_that_cannot_be_used_keeps_its_item(world: World) -> None:
    """An item whose new record cannot be used stays, because the topic has a record of it."""
    world.begin(MOVIES)
    world.record(MOVIES, b"m1", b"{oops")
    world.record(MOVIES, b"\xff", b"{oops")
    world.record(MOVIES, None, b"{oops")
    world.end(MOVIES)
    assert world.left() == {"m1", "file"}


def test_an_item_that_was_removed_before_stays_so(world: World) -> None:
    """A removed item stays removed, and a removal that is read again counts."""
    world.record(MOVIES, b"m0", None)
    assert "m0" not in world.pipeline.arms.items_of_stream("movies")
    world.begin(MOVIES)
    world.put(MOVIES, "m1")
    world.record(MOVIES, b"m1", None)
    world.put(MOVIES, "m2")
    world.end(MOVIES)
    assert world.left() == {"m2", "file"}


def test_what_the_stream_has_is_part_of_the_state(world: World) -> None:
    """The state says which items are of the stream; a state of an earlier version does not."""
    state = world.pipeline.state()
    again = World()
    again.pipeline.load(state)
    assert again.pipeline.arms.items_of_stream("movies") == ["m0", "m1", "m2"]
    for catalogue in state["arms"]["full"]["catalogues"]:
        del catalogue["streamed"]
    again.pipeline.load(state)
    assert again.pipeline.arms.items_of_stream("movies") == []
