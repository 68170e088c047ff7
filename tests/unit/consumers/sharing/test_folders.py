"""Where each shard keeps its checkpoints, and which config they do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.sharing.folders import checkpoint_folder, epoch_of, present_folder
from consumers.sharing.layout import load_layout


def settings(root: Path, count: int, index: int = 0) -> Settings:
    raw = {"checkpoint": {"directory": str(root)}, "domains": {"movies": {}}}
    return build(raw | {"shards": {"count": count, "index": index}})


def test_one_process_keeps_its_folder(tmp_path: Path) -> None:
    assert checkpoint_folder(settings(tmp_path, 1), 4) == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_each_shard_has_a_folder_of_its_own(tmp_path: Path) -> None:
    folders = [checkpoint_folder(settings(tmp_path, 2, n), 4) for n in range(2)]
    assert folders == [tmp_path / "layout-1" / f"shard-{n}" for n in range(2)]
    layout = load_layout(tmp_path)
    assert layout is not None
    assert (layout.epoch, layout.count, layout.partitions) == (1, 2, {"interactions.movies": 4})


@pytest.mark.parametrize(("count", "partitions"), [(1, 4), (3, 4), (2, 8)])
def test_another_number_of_shards_or_partitions_is_refused(
    tmp_path: Path, count: int, partitions: int
) -> None:
    checkpoint_folder(settings(tmp_path, 2), 4)
    with pytest.raises(Stop, match=f"crosscurrent rescale --count {count}") as caught:
        checkpoint_folder(settings(tmp_path, count), partitions)
    assert caught.value.code == STATE_UNUSABLE


def test_checkpoints_of_one_process_are_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / f"{7:012d}").mkdir()
    with pytest.raises(Stop, match=r"the state of 1 shard, and the config says 2"):
        checkpoint_folder(settings(tmp_path, 2), 4)


def test_a_damaged_layout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "layout.json").write_text("{")
    with pytest.raises(Stop, match=r"Put back the layout\.json") as caught:
        checkpoint_folder(settings(tmp_path, 2), 4)
    assert caught.value.code == STATE_UNUSABLE


def test_commands_find_the_folder_of_their_shard(tmp_path: Path) -> None:
    assert present_folder(settings(tmp_path, 2, 1)) == tmp_path
    folder = checkpoint_folder(settings(tmp_path, 2, 1), 4)
    assert present_folder(settings(tmp_path, 2, 1)) == folder
    assert epoch_of(settings(tmp_path, 2)) == 1
