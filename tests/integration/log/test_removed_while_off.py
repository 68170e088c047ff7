"""The next start removes items whose removals Apache Kafka has compacted away while the service was off."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumers.service.offline import offline_pipeline
from models.schema import Item
from models.state.checkpoint import CheckpointDirectory
from models.state.snapshot import snapshot
from tests.support.kafka.apache_kafka import Address
from tests.support.log.item_lives import ItemLives, caught_up, item, listed, run_until

NAMES = [f"i{n}" for n in range(12)]
Lives = Callable[..., ItemLives]


@pytest.fixture
def lives(tmp_path: Path, apache: Address, topic_prefix: str) -> Lives:
    """Make a world whose service has learned twelve items and, by an interaction alone, the item `seen`."""

    def make(**settings: str) -> ItemLives:
        made = ItemLives(tmp_path, apache.bootstrap, topic_prefix, **settings)
        made.items.send(*(item(name) for name in NAMES))
        made.rate("alice", "i1", "i2", "seen")
        assert listed(made.live()) == {*NAMES, "seen"}
        return made

    return make


def remove(lives: ItemLives, *names: str) -> None:
    """Remove items, and wait until the topic holds no trace of them."""
    keys = [name.encode() for name in names]
    lives.items.send(*((key, None) for key in keys))
    lives.items.compact_away(*keys)


def state_of(lives: ItemLives) -> dict[str, Any]:
    """Return the newest state on disk."""
    state, problems = CheckpointDirectory(lives.folder, read_only=True).load()
    assert state is not None
    assert problems == []
    return state


def test_an_item_whose_removal_was_compacted_away(lives: Lives, capsys: pytest.CaptureFixture[str]) -> None:
    """The item is gone, as if its removal had been read. Items of the topic and of interactions stay.
    No item is encoded again."""
    world = lives()
    remove(world, "i3", "i4")
    world.encoded.clear()
    after = world.live()
    assert listed(after) == {*NAMES, "seen"} - {"i3", "i4"}
    full = after.arms.full
    removed = {name for name in NAMES if full.intake.removed(0, full.catalogues[0].ids.get(name) or 0)}
    assert removed == {"i3", "i4"}
    assert full.learned == [3]
    assert set(world.encoded) == {"Title of filler"}
    said = capsys.readouterr().out
    assert said.count("it is read anew") == 1
    assert "removed=2" in said
    again = world.live()
    assert listed(again) == {*NAMES, "seen"} - {"i3", "i4"}


def test_a_topic_that_was_read_to_its_end_lately_is_not_read_anew(
    lives: Lives, capsys: pytest.CaptureFixture[str]
) -> None:
    """A short stop misses no removal, because Kafka keeps it for a day by default."""
    world = lives(delete_retention_ms="86400000")
    world.items.send((b"i3", None))
    after = world.live()
    assert listed(after) == {*NAMES, "seen"} - {"i3"}
    assert "read anew" not in capsys.readouterr().out


def test_a_crash_in_the_middle_begins_again(lives: Lives) -> None:
    """The new reading also finds items that were removed and compacted away after the crash."""
    world = lives()
    remove(world, "i9")
    place = (world.items.topic, 0)
    before = state_of(world)["at_end"]
    usual, world.settings.intake.batch_ms = world.settings.intake.batch_ms, 60_000  # the last four items wait
    with world.life() as pipeline:
        run_until(pipeline, lambda: pipeline.offsets.get(place, 0) > 0, "some items are read again")
        assert pipeline.source.anew() == {world.items.topic}
        assert not pipeline.source.items_read()
        pipeline.step()  # takes a checkpoint
    world.settings.intake.batch_ms = usual
    crashed = state_of(world)
    assert crashed["at_end"] == before
    assert 0 < {(t, p): n for t, p, n in crashed["offsets"]}[place] < 12
    remove(world, "i0", "i1")
    assert listed(world.live()) == {*NAMES, "seen"} - {"i0", "i1", "i9"}


def test_a_checkpoint_of_an_earlier_version(lives: Lives) -> None:
    """The checkpoint has no time of the topic's end, and no list of its items. So the topic is read anew, and nothing
    is removed before it was seen in the topic."""
    world = lives(delete_retention_ms="86400000")
    state = state_of(world)
    del state["at_end"], state["arms"]["full"]["catalogues"][0]["streamed"]
    CheckpointDirectory(world.folder).save(snapshot(state))
    with world.life() as pipeline:
        assert pipeline.source.anew() == {world.items.topic}
        run_until(pipeline, lambda: caught_up(pipeline), "all is read again")
        assert listed(pipeline) == {*NAMES, "seen"}
        assert set(pipeline.arms.items_of_stream("movies")) == set(NAMES)
        pipeline.finish()


def test_items_that_only_a_file_told_of_stay(lives: Lives) -> None:
    """Items from a file stay for any time. Once the topic has a record of one, the topic decides."""
    world = lives()
    made = offline_pipeline(world.settings)
    for name in ("f1", "f2"):
        made.arms.put_item(Item("movies", name, f"Title of {name}"))
    shutil.rmtree(world.folder)
    CheckpointDirectory(world.folder).save(snapshot(made.state()))
    world.items.send(item("f2"))
    assert listed(world.live()) == {*NAMES, "seen", "f1", "f2"}
    remove(world, "f2", "i5")
    assert listed(world.live()) == {*NAMES, "seen", "f1"} - {"i5"}


def test_a_removal_that_is_missed_while_the_service_runs(
    lives: Lives, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a pause longer than the topic keeps removals, it is read anew at once, and the stream goes on."""
    world = lives()
    with world.life(late_seconds=2.0) as pipeline:
        run_until(pipeline, lambda: caught_up(pipeline), "all is learned")
        capsys.readouterr()
        time.sleep(2.0)  # as when the store takes no writes: nothing is polled
        remove(world, "i7")
        world.rate("bob", "i1")
        run_until(pipeline, lambda: "i7" not in listed(pipeline), "the removal is found out")
        assert "it is read anew" in capsys.readouterr().out
        run_until(pipeline, lambda: pipeline.arms.full.learned == [4], "interactions go on")
        assert listed(pipeline) == {*NAMES, "seen"} - {"i7"}
        assert pipeline.source.anew() == set()
        pipeline.finish()
    assert state_of(world)["at_end"][0][2] > time.time() - 60


def test_an_empty_topic(lives: Lives) -> None:
    """All items are removed if the topic holds only the filler."""
    world = lives()
    remove(world, *NAMES)
    assert listed(world.live()) == {"seen"}
