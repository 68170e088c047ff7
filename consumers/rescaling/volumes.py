"""Rescale processes that each have a volume of their own: gather the old checkpoints, and deal out the new ones.

    <volumes>/shard-<i>/    the checkpoint directory of shard i; shard 0 is also the single process
    <volumes>/network/      that of the process that trains the network

Shard 0's directory stands for the common one: links lead from it to the folders of the others, and the next epoch is
written there, then dealt out. When a command begins, links go: a folder of another process that is there has still to
be dealt out. So a command that was interrupted is repeated: it goes on with dealing out, and nothing is rescaled twice.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from consumers.config.schema import Settings
from consumers.errors import Stop
from consumers.rescaling.loading import Say
from consumers.rescaling.run import Rescaled, RescaleOptions, copy_folder, rescale
from consumers.rescaling.shard_log import ShardLog
from consumers.sharing.layout import Layout, later_epochs, load_layout, network_in, shard_in
from models.state.durable_files import WriteFile, sync_folder, write_durably


def rescale_volumes(
    settings: Settings,
    options: RescaleOptions,
    say: Say,
    volumes: Path,
    write_file: WriteFile = write_durably,
    log: ShardLog | None = None,
) -> Rescaled | None:
    """Write the next epoch, and deal it out. volumes: see this module. Raises Stop.

    Returns None if an earlier command for the same number was interrupted, and only dealing out was left.
    """
    root = shard_in(volumes, 0)
    needed = [shard_in(volumes, index) for index in range(options.shards)]
    for place in needed + [network_in(volumes)] * (options.shards > 1):
        if not place.is_dir():
            raise Stop(f"{place} is not there: mount the volume of each old and each new process")
    try:
        for link in root.glob("layout-*/*"):  # of a command that was killed
            if link.is_symlink():
                link.unlink()
        layout = load_layout(root)
        if (
            layout is not None
            and _deal_out(root, layout, volumes, say, write_file)
            and layout.count == options.shards
        ):
            return None
        _check_epochs(volumes, 0 if layout is None else layout.epoch)
        settings = msgspec.structs.replace(
            settings, checkpoint=msgspec.structs.replace(settings.checkpoint, directory=str(root))
        )
        with _gathered(root, layout, volumes):
            made = rescale(settings, options, say, write_file, log)
        _deal_out(root, made.layout, volumes, say, write_file)
    except OSError as error:
        raise Stop(
            f"{error.filename or volumes}: {error.strerror}. Put it right and repeat the command."
        ) from error
    return made


def _check_epochs(volumes: Path, epoch: int) -> None:
    """Refuse folders of later epochs: the next one has their number. Raises Stop."""
    for volume in sorted(set(volumes.iterdir()) - {shard_in(volumes, 0)}):
        for _, folder in later_epochs(volume, epoch):
            raise Stop(
                f"{folder} is of a later epoch than that of shard-0, {epoch}: remove it if it was given up"
            )


@contextmanager
def _gathered(root: Path, layout: Layout | None, volumes: Path) -> Iterator[None]:
    """Let links in shard 0's directory lead to what the other processes have. Raises OSError."""
    links = []
    for here, there in [] if layout is None else _places(root, layout, volumes):
        if there.is_dir():
            here.symlink_to(there.resolve())
            links.append(here)
    try:
        yield
    finally:
        for link in links:
            link.unlink()


def _deal_out(root: Path, layout: Layout, volumes: Path, say: Say, write_file: WriteFile) -> bool:
    """Move what belongs to other processes to their volumes. Return whether there was any. Raises OSError."""
    waiting = [pair for pair in _places(root, layout, volumes) if pair[0].is_dir()]
    for here, there in waiting:
        volume = there.parent.parent
        if not there.is_dir():  # else the command was interrupted after the folder was complete
            writing = volume / f"writing-{here.name}"
            shutil.rmtree(writing, ignore_errors=True)
            copy_folder(here, writing, write_file)
            there.parent.mkdir(exist_ok=True)
            writing.rename(there)
        layout.save(there.parent)
        layout.save(volume)
        shutil.rmtree(here)
        sync_folder(here.parent)
        say(f"moved {here.relative_to(root)} to {volume}")
    return bool(waiting)


def _places(root: Path, layout: Layout, volumes: Path) -> Iterator[tuple[Path, Path]]:
    """Yield for each process but shard 0 its folder of the epoch in shard 0's directory, and that on its volume."""
    for index in range(1, layout.count):
        yield layout.shard(root, index), layout.shard(shard_in(volumes, index), index)
    yield layout.network_folder(root), layout.network_folder(network_in(volumes))
