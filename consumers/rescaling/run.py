"""Rewrite the checkpoints of all shards for another number of shards, as a new epoch beside the old one.

Nothing counts before `layout.json` names the new epoch, and that is one rename. So a job that is killed has changed
nothing, and can be repeated.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from consumers.config.schema import Settings
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.rescaling.loading import Say, State, loaded, with_all_facts
from consumers.rescaling.network_state import network_state
from consumers.rescaling.partitions import owner_of, partitions_of
from consumers.rescaling.shard_log import ShardLog
from consumers.rescaling.shard_states import Topics, newest, shard_states
from consumers.rescaling.shared_places import NO_ENDS, SharedEnds, check_whole
from consumers.service.offline import offline_pipeline
from consumers.service.saving.stored_state import lock_folder
from consumers.sharing.layout import Layout, later_epochs, load_layout, network_in, shard_in
from models.migration.reshard import Plan
from models.state.checkpoint import CheckpointDirectory, snapshot
from models.state.durable_files import WriteFile, sync_folder, write_durably


class RescaleOptions(NamedTuple):
    """What to make. shards: number of the new ones.

    partitions: of each topic of interactions, if the states do not say it.
    base: the old shard whose copy of what all hold is taken, None for the one that is furthest.
    """

    shards: int
    partitions: int | None = None
    base: int | None = None


class Rescaled(NamedTuple):
    """What was made. users: of each new shard. base: the old shard whose copy of everything else was taken."""

    layout: Layout
    users: list[int]
    base: int


def rescale(
    settings: Settings,
    options: RescaleOptions,
    say: Say,
    write_file: WriteFile = write_durably,
    log: ShardLog | None = None,
) -> Rescaled:
    """Write the next epoch of the checkpoint directory. Raises Stop.

    say: is told of each step. log: what shards share; None if there is no broker to ask.
    """
    root = Path(settings.checkpoint.directory)
    layout = load_layout(root)
    sources = [root] if layout is None else [layout.shard(root, n) for n in range(layout.count)]
    if options.base is not None and options.base >= len(sources):
        raise Stop(f"--base {options.base}: there are shards 0 to {len(sources) - 1}")
    with ExitStack() as locks:
        trainer = _trainer(root, layout)
        for path in dict.fromkeys([root, *sources, *([] if trainer is None else [trainer])]):
            locks.enter_context(_lock(path))
        states = [loaded(path, settings, say) for path in sources]
        topics = Topics(
            frozenset(settings.topics_of("interactions")),
            settings.kafka.forget_topic,
            settings.shards.reroute_topic,
        )
        held = layout.partitions if layout is not None else {}
        partitions = partitions_of(states, topics, held, options.partitions)
        if options.shards > min(partitions.values()):
            raise Stop(
                f"--count {options.shards}: the topics of interactions have {min(partitions.values())} partitions, and "
                "each shard needs one"
            )
        base = newest(states) if options.base is None else options.base
        owner = owner_of(settings, len(states), options.shards, partitions, held)
        plan = Plan(owner, options.shards, base)
        say(f"everything but users is taken from {_name(sources[base], root)}")
        ends = _shared(states, settings, plan, log)
        try:
            made = shard_states(states, offline_pipeline(settings).arms.full, plan, topics, ends)
        except ValueError as error:
            raise Stop(f"the states do not belong together: {error}", STATE_UNUSABLE) from error
        del states
        parents = [_name(path, root) for path in sources]
        new = Layout(_next_epoch(root, layout), options.shards, partitions, parents)
        write_trainer = partial(_write_trainer, trainer, made, settings, write_file)
        _write(root, new, made, write_trainer, say, write_file)
        users = [len(state["arms"]["full"]["users"]["ids"]) for state in made]
    return Rescaled(new, users, base)


def _shared(states: list[State], settings: Settings, plan: Plan, log: ShardLog | None) -> SharedEnds:
    """Let old processes write no more, and let the base learn all facts, in `states`. Return where topics end.

    Raises Stop (exit 4) if a single process could not go on from the base.
    """
    count, ends = len(states), NO_ENDS
    if log is not None:
        if count > 1:
            log.fence(count)
            facts = log.facts(plan.base, count)
            states[plan.base] = with_all_facts(states[plan.base], settings, facts, plan.base, count)
        ends = log.ends()
    if count > 1 and plan.shards == 1:
        check_whole(states, plan.base, settings.shards.reroute_topic, ends)
    return ends


def _name(path: Path, root: Path) -> str:
    return str(path.relative_to(root))


def _lock(path: Path) -> Any:
    if not path.is_dir():
        raise Stop(
            f"{path} is not there: checkpoint.directory must hold the checkpoints of all shards. Mount all volumes, or "
            "set checkpoint.directory."
        )
    return lock_folder(path, "Stop all shards first.")


def _next_epoch(root: Path, layout: Layout | None) -> int:
    """Return the number of the next epoch. What a killed job has left is removed; an epoch in which a shard ran stays.

    A shard leaves a LOCK.
    """
    now, highest = (0, 0) if layout is None else (layout.epoch, layout.epoch)
    for number, folder in later_epochs(root, now):
        if any(folder.glob("shard-*/LOCK")):
            highest = max(highest, number)
        else:
            shutil.rmtree(folder)
    return highest + 1


def _trainer(root: Path, layout: Layout | None) -> Path | None:
    """Return the folder of the network's trainer; None if there was no trainer."""
    folder = None if layout is None else layout.network_folder(root)
    return folder if folder is not None and folder.is_dir() else None


def _write_trainer(
    old: Path | None, made: Sequence[State], settings: Settings, write_file: WriteFile, folder: Path
) -> None:
    """Write the checkpoints of the network's trainer into a folder. made: the states of new shards.

    The trainer goes on from its own checkpoints. Without any, it begins with the network of the shards. A single
    process trains its own network.
    """
    if len(made) == 1:
        return
    if old is not None:
        copy_folder(old, folder, write_file)
        return
    state = network_state(made[0], settings, frozenset(settings.topics_of("items")))
    CheckpointDirectory(folder, write_file=write_file).save(snapshot(state, copy=False))


def copy_folder(old: Path, new: Path, write_file: WriteFile) -> None:
    """Copy checkpoints, and return once they are on disk. Raises OSError."""
    folders = [old, *(path for path in sorted(old.rglob("*")) if path.is_dir())]
    for folder in folders:
        copied = new / folder.relative_to(old)
        copied.mkdir(parents=True)
        for path in folder.iterdir():
            if path.is_file() and path.name != "LOCK":
                write_file(copied / path.name, path.read_bytes())
        sync_folder(copied)


def _write(
    root: Path,
    layout: Layout,
    states: Sequence[State],
    write_trainer: Callable[[Path], None],
    say: Say,
    write_file: WriteFile,
) -> None:
    """Write an epoch, then let it count. Raises Stop (exit 4) if there is no room; then nothing is left of it.

    write_trainer: writes the checkpoints of the network's trainer into a folder.
    """
    final = layout.folder(root)
    writing = root / f"writing-{final.name}"
    shutil.rmtree(writing, ignore_errors=True)
    try:
        writing.mkdir()
        for index, state in enumerate(states):
            path = shard_in(writing, index)
            CheckpointDirectory(path, write_file=write_file).save(snapshot(state, copy=False))
            users = len(state["arms"]["full"]["users"]["ids"])
            say(f"wrote {_name(shard_in(final, index), root)}: {users:,} users")
        write_trainer(network_in(writing))
        layout.save(writing)
        writing.rename(final)
        sync_folder(root)
        layout.save(root)
    except OSError as error:
        shutil.rmtree(writing, ignore_errors=True)
        raise Stop(
            f"the new checkpoints cannot be written ({error.strerror}); the old ones count as before. Make room in "
            f"{root} and repeat the command.",
            STATE_UNUSABLE,
        ) from error
