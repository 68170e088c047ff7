"""Which folder is whose, and what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka.partitioner import DefaultPartitioner

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.sharing.layout import Layout, directory_of, load_layout, partition_of

TOPICS = {"interactions.books": 8}


def test_the_partition_is_that_of_the_default_partitioner() -> None:
    class Cluster:
        def topics(self, *_: object) -> set[str]:
            return {"t"}

        def partitions_for_topic(self, _topic: str) -> set[int]:
            return set(range(7))

        def available_partitions_for_topic(self, _topic: str) -> set[int]:
            return set(range(7))

    for user in ("ann", "bob", "ütf-8", "x" * 100, ""):
        key = user.encode()
        theirs = DefaultPartitioner().partition("t", user, key, None, None, Cluster())
        assert partition_of(user, 7) == theirs


def test_a_layout_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert load_layout(tmp_path) is None
    layout = Layout(3, 4, TOPICS, ["layout-2/shard-0"])
    layout.save(tmp_path)
    assert load_layout(tmp_path) == layout
    assert [path.name for path in tmp_path.iterdir()] == ["layout.json"]
    assert layout.shard(tmp_path, 1) == tmp_path / "layout-3" / "shard-1"


@pytest.mark.parametrize("text", [b"{", b"{}", b'{"epoch": 0, "count": 1, "partitions": {}}'])
def test_a_layout_that_cannot_be_read_stops(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "layout.json").write_bytes(text)
    with pytest.raises(Stop, match=r"layout\.json") as caught:
        load_layout(tmp_path)
    assert caught.value.code == STATE_UNUSABLE


def test_a_single_process_uses_the_directory_itself(tmp_path: Path) -> None:
    assert directory_of(tmp_path, 1, 0, TOPICS) == tmp_path
    assert not any(tmp_path.iterdir())


def test_shards_that_begin_with_nothing_write_the_layout(tmp_path: Path) -> None:
    root = tmp_path / "checkpoints"
    assert directory_of(root, 3, 2, TOPICS) == root / "layout-1" / "shard-2"
    assert load_layout(root) == Layout(1, 3, TOPICS)
    assert directory_of(root, 3, 0, TOPICS) == root / "layout-1" / "shard-0"


def test_states_of_another_number_of_shards_are_refused(tmp_path: Path) -> None:
    Layout(2, 4, TOPICS).save(tmp_path)
    for count in (1, 3):
        with pytest.raises(Stop, match=f"rescale --count {count}") as caught:
            directory_of(tmp_path, count, 0, TOPICS)
        assert caught.value.code == STATE_UNUSABLE
    assert directory_of(tmp_path, 4, 3, TOPICS) == tmp_path / "layout-2" / "shard-3"


def test_checkpoints_of_a_single_process_are_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "000000000001").mkdir()
    with pytest.raises(Stop, match=r"state of 1 shard, .* rescale --count 2"):
        directory_of(tmp_path, 2, 0, TOPICS)


def test_partitions_that_were_added_are_refused(tmp_path: Path) -> None:
    Layout(2, 4, TOPICS).save(tmp_path)
    with pytest.raises(Stop, match="--partitions 12"):
        directory_of(tmp_path, 4, 0, {"interactions.books": 12})
    assert directory_of(tmp_path, 4, 0, TOPICS | {"interactions.new": 8}).name == "shard-0"
