"""Crash pipelines and go on from what they saved, as the laws ask."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from consumers.service.pipeline import Pipeline
from models.state.checkpoint import CheckpointDirectory
from models.state.snapshot import mark_clean, snapshot
from tests.support.doubles import Abort, ListSource
from tests.support.learners.states import decoded, differences
from tests.support.log.one_log import run_out

Make = Callable[[ListSource], Pipeline]
"""Makes a pipeline that has learned nothing."""


def until_abort(running: Pipeline, source: ListSource) -> Iterator[None]:
    """Take steps until the source aborts. It yields at the start and after each step, when a state can be taken."""
    running.restore()
    yield
    with contextlib.suppress(Abort):
        while not source.exhausted:
            running.step()
            yield
    assert not source.exhausted


def resumed(make: Make, source: ListSource, state: dict[str, Any]) -> Pipeline:
    """Return a pipeline that goes on from a state to the end of the log."""
    running = make(source)
    running.load(state)
    source.start(running.offsets, state["identity"])
    run_out(running, source)
    return running


def assert_increments_hold_all(make: Make, source: ListSource, folder: Path) -> None:
    """Assert that a whole state and the increments after it are the present state, after every step and restart."""
    rng, running = random.Random(5), make(source)
    running.restore()
    directory = CheckpointDirectory(folder)
    while not source.exhausted:
        running.step()
        directory.save(snapshot(running.live(), increment=directory.newest is not None))
        state, problems = CheckpointDirectory(folder, read_only=True).load()
        assert problems == []
        assert state is not None
        assert differences(decoded(snapshot(running.state())), state) == []
        if rng.random() < 0.3:
            running = make(source)
            running.load(state)
            mark_clean(running.live(), state)
