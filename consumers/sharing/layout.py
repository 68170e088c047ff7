"""Keep where the checkpoint of each shard is, and refuse a config that the checkpoints do not fit."""

from __future__ import annotations

from pathlib import Path

import msgspec

from consumers.config.schema import Settings
from consumers.errors import STATE_UNUSABLE, Stop

FILE = "layout.json"
EPOCH = 1
"""The first layout. Each change of `shards.count` makes the next one."""


class Layout(msgspec.Struct, forbid_unknown_fields=True):
    """How the state is dealt out. parents: the layout that this one was made from, 0 for none."""

    epoch: int
    count: int
    partitions: int
    encoder: str
    parents: int = 0

    def folder(self, root: Path, index: int) -> Path:
        """Return the checkpoint directory of a shard."""
        return root / f"layout-{self.epoch}" / f"shard-{index}"

    def network_folder(self, root: Path) -> Path:
        """Return the checkpoint directory of the process that trains the network."""
        return root / f"layout-{self.epoch}" / "network"


def read(root: Path) -> Layout | None:
    """Return the present layout; None without one. Raises Stop (exit 4) for a file that is damaged."""
    try:
        return msgspec.json.decode((root / FILE).read_bytes(), type=Layout)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise Stop(
            f"{root / FILE} cannot be read: {error}. Restore it from a backup.", STATE_UNUSABLE
        ) from error


def write(root: Path, layout: Layout) -> None:
    """Write the layout as a whole or not at all."""
    root.mkdir(parents=True, exist_ok=True)
    temporary = root / f"{FILE}.{layout.epoch}.writing"
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(layout)))
    temporary.replace(root / FILE)


def checkpoint_folder(settings: Settings, partitions: int, network: bool = False) -> Path:
    """Return where this process keeps its checkpoints. The first process to start notes the layout.

    partitions: of each topic of events. network: this process trains the network of all shards. Raises Stop (exit 4)
    if checkpoints are of another number of shards.
    """
    root, shards = Path(settings.checkpoint.directory), settings.shards
    layout = read(root)
    if layout is not None and layout.count != shards.count:
        raise _other_count(root, layout.count, shards.count)
    if not shards.several:
        return root
    if layout is None:
        if any(root.glob("[0-9]" * 12)):
            raise _other_count(root, 1, shards.count)
        layout = Layout(EPOCH, shards.count, partitions, settings.text_encoder.model)
        try:
            write(root, layout)
        except OSError as error:
            raise Stop(f"checkpoint.directory {root}: {error.strerror}. It must be writable.") from error
    elif layout.partitions != partitions:
        raise Stop(
            f"the checkpoints in {root} were made with {layout.partitions} partitions of each topic of events, and now "
            f"there are {partitions}: users belong to other shards. Stop all shards and run: crosscurrent rescale "
            f"--count {shards.count}",
            STATE_UNUSABLE,
        )
    return layout.network_folder(root) if network else layout.folder(root, shards.own())


def present_folder(settings: Settings) -> Path:
    """Return where this process's checkpoints are, if there are any. Raises Stop (exit 4)."""
    root = Path(settings.checkpoint.directory)
    layout = read(root) if settings.shards.several else None
    return root if layout is None else layout.folder(root, settings.shards.own())


def _other_count(root: Path, held: int, wanted: int) -> Stop:
    return Stop(
        f"the checkpoints in {root} are of {held} shard{'s' * (held != 1)}, and shards.count is {wanted}. Stop all "
        f"shards and run: crosscurrent rescale --count {wanted}",
        STATE_UNUSABLE,
    )
