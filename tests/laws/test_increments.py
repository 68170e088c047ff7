"""A whole state and all increments after it, read from disk, are the present state, bit for bit."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import models.network.search.strategy_search
import models.transfer.strategies
from models.state.checkpoint import INCREMENT, WHOLE, CheckpointDirectory
from models.state.snapshot import mark_clean, snapshot
from tests.support.doubles import ListSource
from tests.support.learners.states import decoded, differences
from tests.support.log.one_log import LOG, pipeline, run_out


@pytest.fixture
def many_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shadow networks come and go within a few steps."""
    monkeypatch.setattr(models.network.search.strategy_search, "READY_EVENTS", 8)
    monkeypatch.setattr(models.transfer.strategies, "READY_EVENTS", 8)
    monkeypatch.setattr(models.transfer.strategies, "MAX_TRIAL_STEPS", 2)
    monkeypatch.setattr(models.transfer.strategies, "COOLDOWN_FACTOR", 1)


def loaded(path: Path) -> dict[str, Any]:
    state, problems = CheckpointDirectory(path, read_only=True).load()
    assert problems == []
    assert state is not None
    return state


@pytest.mark.usefixtures("many_trials")
def test_what_was_touched_is_all_there_is(tmp_path: Path) -> None:
    """The law holds after every step, with failed writes, compactions and restarts in between."""
    rng, source = random.Random(3), ListSource(LOG, 20)
    running = pipeline(source)
    running.restore()
    directory = CheckpointDirectory(tmp_path)
    did = dict.fromkeys(("increment", "lost", "compacted", "restarted"), 0)
    while not source.exhausted:
        running.step()
        taken = snapshot(running.live(), increment=directory.newest is not None)
        draw = rng.random()
        if draw < 0.2 and directory.newest is not None:
            taken.restore_dirty()
            did["lost"] += 1
            continue
        directory.save(taken)
        did["increment"] += taken.increment
        if draw > 0.7:
            assert directory.newest is not None
            directory.compact(directory.newest)
            did["compacted"] += 1
        state = loaded(tmp_path)
        assert differences(decoded(snapshot(running.state())), state) == []
        if 0.5 < draw < 0.7:
            running = pipeline(source)
            running.load(state)
            mark_clean(running.live(), loaded(tmp_path))
            did["restarted"] += 1
    assert min(did.values()) > 1, did


def test_an_increment_is_small(tmp_path: Path) -> None:
    """Without events an increment has no rows; with one event, the rows of its user and item."""
    source = ListSource(LOG)
    running = pipeline(source)
    running.restore()
    run_out(running, source)
    directory = CheckpointDirectory(tmp_path)
    directory.save(snapshot(running.live()))
    nothing = snapshot(running.live(), increment=True)
    whole = snapshot(running.live())
    square = [t.shape for t in whole.tensors.values() if t.ndim == 3 and t.shape[1] == t.shape[2]]
    covariance = max(square)  # that of users; those of domains are few
    assert covariance[0] >= 60
    assert {
        t.shape[0] for t in nothing.tensors.values() if t.ndim == 3 and t.shape[1:] == covariance[1:]
    } == {0}


def test_damage_falls_back_to_what_came_before(tmp_path: Path) -> None:
    """A damaged increment makes later ones useless. A damaged whole state with an increment beside it
    costs nothing."""
    directory, seen = CheckpointDirectory(tmp_path), []
    source = ListSource(LOG, 40)
    running = pipeline(source)
    running.restore()
    for _ in range(7):
        running.step()
        folder = directory.save(snapshot(running.live(), increment=directory.newest is not None))
        seen.append((folder, decoded(snapshot(running.state()))))
    directory.compact(4)
    (seen[3][0] / WHOLE.tensors).write_bytes(b"")
    state, problems = CheckpointDirectory(tmp_path).load()
    assert differences(state, seen[6][1]) == []
    assert len(problems) == 1
    assert "000000000004" in problems[0]
    (seen[5][0] / INCREMENT.body).unlink()
    again = CheckpointDirectory(tmp_path)
    state, problems = again.load()
    assert differences(state, seen[4][1]) == []
    assert any("000000000007" in p for p in problems)
    assert any("000000000006" in p for p in problems)
    # the next one follows what was loaded
    running = pipeline(source)
    running.load(state)
    mark_clean(running.live(), state)
    running.step()
    assert again.save(snapshot(running.live(), increment=True)).name == "000000000008"
    assert differences(loaded_in_spite(tmp_path), decoded(snapshot(running.state()))) == []


def loaded_in_spite(path: Path) -> dict[str, Any]:
    state, _ = CheckpointDirectory(path, read_only=True).load()
    assert state is not None
    return state


def test_the_last_three_whole_ones_and_their_increments_stay(tmp_path: Path) -> None:
    """Older checkpoints are deleted, and every remaining one can be restored."""
    directory = CheckpointDirectory(tmp_path)
    directory.save(snapshot({"n": 0}))
    for n in range(1, 12):
        directory.save(snapshot({"n": n}, increment=True))
        if n % 3 == 0:
            assert directory.newest is not None
            directory.compact(directory.newest)
    names = sorted(int(p.name) for p in tmp_path.iterdir())
    assert names == [4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert directory.growth().increments == 2
    assert loaded(tmp_path) == {"n": 11}
