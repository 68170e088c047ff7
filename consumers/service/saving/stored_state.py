"""Read, and write anew, the state in a folder that no service uses: for commands that rewrite checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.service.saving.directory_lock import locked
from models.state.checkpoint import CheckpointDirectory, UnusableError

State = dict[str, Any]
LEARNED = ("arms", "outbox", "dedup", "limits", "forgotten", "marks", "text_encoder")
"""The parts of a state that loading may bring up to date. The others tell of the log, and stay as they are."""


def lock_folder(path: Path, busy: str) -> TextIO:
    """Lock a folder of checkpoints. busy: what to do if a service uses it. Raises Stop."""
    try:
        return locked(path / "LOCK")
    except BlockingIOError as error:
        raise Stop(f"{path}: another process uses it. {busy}", STATE_UNUSABLE) from error
    except OSError as error:
        raise Stop(f"{path}: {error.strerror}. It must be writable.") from error


def newest_state(path: Path, say: Callable[[str], None], none: str) -> State:
    """Return the newest state of a folder. none: what to do if there is none. Raises Stop (exit 4)."""
    try:
        state, problems = CheckpointDirectory(path, read_only=True).load()
    except (UnusableError, OSError) as error:
        raise Stop(f"{path}: {error}", STATE_UNUSABLE) from error
    if state is None:
        raise Stop(f"{path} holds no checkpoint. {none}", STATE_UNUSABLE)
    for problem in problems:
        say(f"damaged checkpoint passed over; an older one is used: {problem}")
    return state


def with_learned(state: State, now: State) -> State:
    """Return a state with what was learned from another. now: of the pipeline that has loaded it."""
    return state | {name: now[name] for name in LEARNED}
