"""The texts of all items are read from the log as they are now, on the embedded broker and on Apache Kafka."""

from __future__ import annotations

import pytest

from consumers.config.loader import load
from consumers.errors import Stop
from consumers.reencoding.item_texts import item_texts
from tests.support.service.service_world import World


def test_the_latest_text_of_each_item(world: World) -> None:
    """A later record replaces an earlier one, a removed item and one without words have none; all partitions count."""
    settings, told = load(world.service.config), list[str]()
    for n in range(300):
        world.item("movies", f"m{n}", title=f"Title {n}", text="and more" if n % 2 else "")
    world.item("movies", "m3", title="another title")
    world.remove("movies", "m4")
    world.item("movies", "m5", title="  ")
    world.raw("movies", "m6", b"no interaction and no item")
    world.producer.send(f"items.{world.prefix}.movies", key=b"m7", value=b"not JSON")
    world.producer.flush()
    texts = item_texts(settings, told.append)
    assert len(texts) == 298
    assert texts["movies", "m3"] == "another title"
    assert texts["movies", "m8"] == "Title 8"
    assert "and more" in texts["movies", "m9"]
    assert not {("movies", "m4"), ("movies", "m5")} & texts.keys()
    assert told == [
        f"read items.{world.prefix}.movies: 304 records",
        f"read items.{world.prefix}.books: 0 records",
    ]


def test_a_missing_topic_stops_with_its_name(world: World) -> None:
    """Without a topic of items nothing is encoded, because its items would lose their vectors."""
    settings = load(world.service.config)
    settings.domains["books"].items_topic = f"items.{world.prefix}.nowhere"
    with pytest.raises(Stop, match=rf"items\.{world.prefix}\.nowhere is missing"):
        item_texts(settings, lambda _: None)
