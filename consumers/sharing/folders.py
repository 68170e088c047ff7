"""Find the folder of this process's checkpoints, and refuse a config that the checkpoints do not fit."""

from __future__ import annotations

from pathlib import Path

from consumers.config.schema import Settings
from consumers.errors import Stop
from consumers.sharing.layout import directory_of, load_layout, network_in


def checkpoint_folder(settings: Settings, partitions: int, network: bool = False) -> Path:
    """Return where this process keeps its checkpoints. The first process to start notes the layout.

    partitions: of each topic of interactions. network: this process trains the network of all shards. Raises Stop:
    exit 4 if checkpoints are of other shards.
    """
    root, shards = Path(settings.checkpoint.directory), settings.shards
    topics = settings.topics_of("interactions")
    try:
        index = 0 if network else shards.own()
        folder = directory_of(root, shards.count, index, dict.fromkeys(topics, partitions))
        return network_in(folder.parent) if network else folder
    except OSError as error:
        raise Stop(f"checkpoint.directory {root}: {error.strerror}. It must be writable.") from error


def present_folder(settings: Settings) -> Path:
    """Return where this process's checkpoints are, if there are any. Raises Stop (exit 4)."""
    root = Path(settings.checkpoint.directory)
    layout = load_layout(root)
    return root if layout is None else layout.shard(root, settings.shards.own())


def all_folders(settings: Settings) -> list[Path]:
    """Return where the checkpoints of every shard are. Raises Stop (exit 4)."""
    root = Path(settings.checkpoint.directory)
    layout = load_layout(root)
    return [root] if layout is None else [layout.shard(root, shard) for shard in range(layout.count)]


def epoch_of(settings: Settings) -> int:
    """Return the number of the present layout; 1 before the first start."""
    layout = load_layout(Path(settings.checkpoint.directory))
    return 1 if layout is None else layout.epoch
