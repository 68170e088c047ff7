"""Say how the state is laid out over shards: `layout.json` in the checkpoint directory.

    layout.json                  which epoch counts, how many shards it has, how many partitions the topics had
    layout-<epoch>/shard-<i>/    the checkpoints of one shard, as those of a single process
    layout-<epoch>/network/      those of the process that trains the network of all shards
    layout-<epoch>/layout.json   the same file once more, so that an earlier epoch can be put back

Without `layout.json` the directory holds the checkpoints of a single process, or nothing yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import msgspec

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.kafka_client import producer
from models.state.durable_files import sync_folder, write_durably

NAME = "layout.json"


def partition_of(user_id: str, partitions: int) -> int:
    """Return the partition of a user's events. user_id: the key of their records, as producers write it.

    It is the one that Kafka's Java client and kafka-python choose by default.

    >>> [partition_of(user, 8) for user in ("ann", "bob", "eve")]
    [2, 6, 4]
    """
    return producer.partition_of(user_id.encode(errors="surrogatepass"), partitions)


def later_epochs(root: Path, epoch: int) -> list[tuple[int, Path]]:
    """Return the number and the folder of each epoch of a checkpoint directory after this one."""
    found = [(path.name.removeprefix("layout-"), path) for path in sorted(root.glob("layout-*"))]
    return [(int(number), path) for number, path in found if number.isdigit() and int(number) > epoch]


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One epoch of the layout. Partition p of each topic belongs to shard p % count.

    partitions: of each topic of interactions, when the epoch began. parents: the folders that its states were made
    from, relative to the checkpoint directory; empty for states that began from the log.
    """

    epoch: int
    count: int
    partitions: dict[str, int]
    parents: list[str] = []

    def folder(self, root: Path) -> Path:
        """Return the folder of the epoch. root: the checkpoint directory."""
        return root / f"layout-{self.epoch}"

    def shard(self, root: Path, index: int) -> Path:
        """Return the folder of one shard's checkpoints. root: the checkpoint directory."""
        return shard_in(self.folder(root), index)

    def network_folder(self, root: Path) -> Path:
        """Return the checkpoint directory of the process that trains the network."""
        return network_in(self.folder(root))

    def save(self, folder: Path) -> None:
        """Write `layout.json` in a folder. On return it is on disk; before, an older one counts. Raises OSError."""
        part = folder / f"writing-{uuid4().hex}.json"  # several shards may begin at once
        write_durably(part, msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")
        part.replace(folder / NAME)
        sync_folder(folder)


def shard_in(epoch: Path, index: int) -> Path:
    """Return the folder of one shard's checkpoints in the folder of an epoch."""
    return epoch / f"shard-{index}"


def network_in(epoch: Path) -> Path:
    """Return the folder of the trainer's checkpoints in the folder of an epoch."""
    return epoch / "network"


def load_layout(folder: Path) -> Layout | None:
    """Return the layout of a folder, None if it has none. Raises Stop (exit 4) if the file cannot be read."""
    path = folder / NAME
    try:
        layout = msgspec.json.decode(path.read_bytes(), type=Layout)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise Stop(
            f"{path} cannot be read: {error}. Put back the layout.json of the newest folder layout-<epoch> beside it.",
            STATE_UNUSABLE,
        ) from error
    if layout.epoch < 1 or layout.count < 1:
        raise Stop(f"{path}: epoch and count are at least 1", STATE_UNUSABLE)
    return layout


def directory_of(root: Path, count: int, index: int, partitions: Mapping[str, int]) -> Path:
    """Return where shard `index` of `count` keeps its checkpoints.

    root: the checkpoint directory. partitions: of each topic of interactions, now. A single process uses `root` itself
    as long as there is no layout. Several shards that begin with nothing write the layout of epoch 1. Raises Stop (exit
    4) if the states are those of another number of shards or partitions, and OSError.
    """
    layout = layout_for(root, count)
    if layout is None:
        if count == 1:
            return root
        root.mkdir(parents=True, exist_ok=True)
        layout = Layout(1, count, dict(partitions))
        layout.save(root)
    for topic, before in layout.partitions.items():
        if (now := partitions.get(topic, before)) != before:
            raise Stop(
                f"{topic} has {now} partitions, and users were dealt out to shards by {before}. Stop all shards, run "
                f"crosscurrent rescale --count {count} --partitions {now}, then start them.",
                STATE_UNUSABLE,
            )
    return layout.shard(root, index)


def layout_for(root: Path, count: int) -> Layout | None:
    """Return the layout of a folder, None if it has none. Raises Stop (exit 4) if its states are of another count."""
    layout = load_layout(root)
    held = layout.count if layout is not None else 1 if has_checkpoints(root) else count
    if held != count:
        raise Stop(
            f"checkpoint.directory {root} holds the state of {held} shard{'s' if held > 1 else ''}, and the config "
            f"says {count}. Stop all shards, run crosscurrent rescale --count {count}, then start {count}; or set "
            f"shards.count = {held}.",
            STATE_UNUSABLE,
        )
    return layout


def has_checkpoints(root: Path) -> bool:
    """Return whether a single process has saved checkpoints in this folder."""
    return root.is_dir() and any(path.name.isdigit() for path in root.iterdir())
