"""Checkpoints that name a forgotten user are deleted."""

from __future__ import annotations

from pathlib import Path

from consumers.service.saving.checkpoint_policy import CheckpointPolicy
from models.state.checkpoint import CheckpointDirectory
from tests.support.learners.checkpointers import always_due, wait_for_compaction
from tests.support.learners.states import differences, read_back
from tests.support.service.erasure_world import MARK, START, USER, World, event, forget


def test_checkpoints_from_before_are_deleted(tmp_path: Path) -> None:
    """Older checkpoints are deleted once one without the user is on disk. Then no byte of the folder names them."""
    checkpointer = always_due(tmp_path)
    world = World(checkpointer=checkpointer)
    for n in range(4):
        world.put(event(n))
        world.run()
        checkpointer.poll(wait=True)
    found = [p for p in tmp_path.rglob("state.msgpack") if USER.encode() in p.read_bytes()]
    assert len(found) == 3
    world.put(forget(MARK, START + 1000 * 50))
    world.run()
    checkpointer.poll(wait=True)  # an earlier one may still be on its way
    world.pipeline.step()
    checkpointer.poll(wait=True)
    checkpointer.close()
    assert list(tmp_path.glob("0*"))
    assert naming_the_user(tmp_path) == []


def test_checkpoints_with_increments(tmp_path: Path) -> None:
    """Increments name the user in every table. Once the next one has been made whole by the other process and
    the one after it is written, no byte of the folder does. What was erased stays so in the increments that follow,
    and in a whole state made of them."""
    checkpointer = always_due(tmp_path, policy=CheckpointPolicy(whole_mb=0.001))
    world = World(checkpointer=checkpointer)

    def save() -> None:
        checkpointer.poll(wait=True)  # an earlier one may still be on its way
        world.pipeline.step()
        checkpointer.poll(wait=True)

    world.live()
    save()
    world.put(*(event(n) for n in range(50, 58)))
    world.run()
    save()
    assert [p for p in naming_the_user(tmp_path) if p.name == "increment.msgpack"]
    world.put(forget(MARK, START + 1000 * len(world.records)), *(event(n, f"v{n}") for n in range(8)))
    world.run()
    save()
    assert naming_the_user(tmp_path)
    assert wait_for_compaction(checkpointer) == 0
    save()
    assert naming_the_user(tmp_path) == []
    assert len(list(tmp_path.glob("*/manifest.json"))) == 1
    world.put(*(event(n, f"v{n % 9}") for n in range(60, 92)))
    world.run()
    save()
    increments = sorted(p.parent.name for p in tmp_path.glob("*/increment.json"))
    CheckpointDirectory(tmp_path, read_only=True).compact(int(increments[-1]))
    assert len(list(tmp_path.glob("*/manifest.json"))) == 2
    assert naming_the_user(tmp_path) == []
    state, problems = CheckpointDirectory(tmp_path, read_only=True).load()
    assert problems == []
    assert state is not None
    assert not state.pop("alone")
    assert differences(read_back(world.pipeline.state()), state) == []
    checkpointer.close()


def naming_the_user(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and USER.encode() in p.read_bytes()]


def test_a_crash_before_older_checkpoints_are_deleted(tmp_path: Path) -> None:
    """A checkpoint that must be alone says so: the first checkpoint after a restart deletes the others."""
    first = always_due(tmp_path)
    first.take({"n": 1}, {})
    first.poll(wait=True)
    older = next(tmp_path.glob("0*"))
    held = {p.name: p.read_bytes() for p in older.iterdir()}
    first.purge_older()
    first.take({"n": 2}, {})
    first.poll(wait=True)
    first.close()
    older.mkdir()
    for name, data in held.items():
        (older / name).write_bytes(data)
    second = always_due(tmp_path)
    assert second.load() == {"n": 2}
    assert second.erased == {}
    second.take({"n": 3}, {})
    second.poll(wait=True)
    second.close()
    assert [p.name for p in tmp_path.glob("0*")] == ["000000000003"]
