"""Rescaling processes with a volume each: the same as in one directory, wherever the command is interrupted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from consumers.errors import Stop
from consumers.events.record import Record
from consumers.rescaling.run import RescaleOptions, rescale
from consumers.rescaling.volumes import rescale_volumes
from consumers.sharing.layout import load_layout
from models.state.durable_files import write_durably
from tests.support.log.user_log import counts_of, learn_and_stop, settings_of, shards_of, user_log

torch.set_num_threads(1)

LOG = user_log(400)
PARTS = [LOG[:150], LOG[:220], LOG[:290], LOG[:350], LOG]


def quiet(_line: str) -> None:
    """Say nothing."""


def mounted(folder: Path, processes: int) -> Path:
    """Return a folder of volumes with at least so many shards, and the network's."""
    for name in (*(f"shard-{n}" for n in range(processes)), "network"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return folder


def learn(volumes: Path, records: list[Record], facts: list[bytes], scratch: Path) -> None:
    """Let each shard learn from its own volume alone, as its pod would. scratch: for the common directory."""
    root = volumes / "shard-0"
    layout = load_layout(root)
    if layout is None:
        assert learn_and_stop(shards_of(root, records)) == counts_of(records)
        return
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    layout.save(scratch)
    for index in range(layout.count):
        volume = volumes / f"shard-{index}"
        assert load_layout(volume) == layout, "each volume says what it belongs to"
        here = layout.shard(volume, index)
        assert here.is_dir()
        assert not here.is_symlink()
        link = layout.shard(scratch, index)
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(here)
    assert learn_and_stop(shards_of(scratch, records, facts)) == counts_of(records)


def outcome(volumes: Path, options: RescaleOptions, write_file: Callable[[Path, bytes], None]) -> None:
    rescale_volumes(settings_of(volumes / "unused"), options, quiet, volumes, write_file)


def folders(volumes: Path, epoch: int) -> set[str]:
    """Return the folders of an epoch that hold checkpoints."""
    found = volumes.glob(f"*/layout-{epoch}/*/")
    return {str(path.relative_to(volumes)) for path in found if not path.is_symlink()}


def test_every_event_is_counted_once_through_many_counts(tmp_path: Path) -> None:
    """One process, then 3 → 2 → 1 → 4 shards, each with some more of the log."""
    volumes, facts = mounted(tmp_path / "volumes", 4), list[bytes]()
    learn(volumes, PARTS[0], facts, tmp_path / "all")
    for epoch, (count, records) in enumerate(zip((3, 2, 1, 4), PARTS[1:], strict=True), 1):
        made = rescale_volumes(settings_of(tmp_path), RescaleOptions(count), quiet, volumes)
        assert made is not None
        assert (made.layout.epoch, made.layout.count) == (epoch, count)
        held = {f"shard-{n}/layout-{epoch}/shard-{n}" for n in range(count)}
        assert folders(volumes, epoch) == held | ({f"network/layout-{epoch}/network"} if count > 1 else set())
        learn(volumes, records, facts, tmp_path / "all")
    assert not [path for path in volumes.rglob("*") if path.is_symlink()]


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, without locks."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "LOCK"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class Interrupted(Exception):
    """The command ends here."""


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Return the volumes of two shards that have learned."""
    volumes = mounted(tmp_path / "volumes", 3)
    learn(volumes, PARTS[0], [], tmp_path / "all")
    rescale_volumes(settings_of(tmp_path), RescaleOptions(2), quiet, volumes)
    learn(volumes, PARTS[1], [], tmp_path / "all")
    return volumes


def test_an_interrupted_command_is_repeated(two: Path, tmp_path: Path) -> None:
    """At its first file, and at each that it deals out: the outcome is that of one that was not interrupted."""
    whole, paths = shutil.copytree(two, tmp_path / "whole"), list[Path]()

    def noted(path: Path, data: bytes) -> None:
        paths.append(path)
        write_durably(path, data)

    outcome(whole, RescaleOptions(3), noted)
    expected = [contents(whole / name) for name in ("shard-0", "shard-1", "shard-2", "network")]
    dealt = [n for n, path in enumerate(paths) if "writing-layout" not in str(path)]
    assert len(dealt) > 5, "it writes files once more to deal them out"
    for end in (0, *dealt):
        cut, left = shutil.copytree(two, tmp_path / f"cut-{end}"), end

        def ends(path: Path, data: bytes) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Interrupted
            write_durably(path, data)

        with pytest.raises(Interrupted):
            outcome(cut, RescaleOptions(3), ends)
        outcome(cut, RescaleOptions(3), write_durably)
        found = [contents(cut / name) for name in ("shard-0", "shard-1", "shard-2", "network")]
        assert found == expected, end
        shutil.rmtree(cut)


def test_it_makes_what_one_directory_makes(two: Path, tmp_path: Path) -> None:
    """Byte for byte, for every process."""
    root = tmp_path / "one"
    layout = load_layout(two / "shard-0")
    assert layout is not None
    for name, volume in (("shard-0", "shard-0"), ("shard-1", "shard-1"), ("network", "network")):
        shutil.copytree(layout.folder(two / volume) / name, layout.folder(root) / name)
    layout.save(root)
    rescale(settings_of(root), RescaleOptions(3), quiet)
    rescale_volumes(settings_of(tmp_path), RescaleOptions(3), quiet, two)
    for name in ("shard-0", "shard-1", "shard-2", "network"):
        assert contents(two / name / "layout-2" / name) == contents(root / "layout-2" / name), name


def test_what_is_not_mounted_is_refused(two: Path, tmp_path: Path) -> None:
    """Before anything is written."""
    before = contents(two)
    with pytest.raises(Stop, match="shard-3 is not there: mount the volume of each old and each new process"):
        rescale_volumes(settings_of(tmp_path), RescaleOptions(4), quiet, two)
    shutil.move(two / "shard-1", tmp_path / "away")
    with pytest.raises(Stop, match=r"layout-1/shard-1 is not there: .* Mount all volumes"):
        rescale_volumes(settings_of(tmp_path), RescaleOptions(1), quiet, two)
    shutil.move(tmp_path / "away", two / "shard-1")
    later = two / "shard-1" / "layout-2"
    later.mkdir()
    with pytest.raises(Stop, match=r"shard-1/layout-2 is of a later epoch than that of shard-0, 1"):
        rescale_volumes(settings_of(tmp_path), RescaleOptions(3), quiet, two)
    later.rmdir()
    assert contents(two) == before


def test_a_lost_network_volume_is_filled_again(two: Path, tmp_path: Path) -> None:
    """By rescaling to the same number: the trainer begins with the network of the shards."""
    shutil.rmtree(two / "network")
    (two / "network").mkdir()
    rescale_volumes(settings_of(tmp_path), RescaleOptions(2), quiet, two)
    assert contents(two / "network" / "layout-2" / "network")
