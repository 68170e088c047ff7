"""Count in the checkpoints of stopped processes how many events each has learned, its own and those of others."""

from __future__ import annotations

from pathlib import Path

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.service.saving.stored_state import newest_state
from consumers.sharing.layout import load_layout


def copies(root: Path) -> dict[str, dict[str, int]]:
    """Return the events learned by process and domain, from the newest checkpoints. root: the directory of all.

    Each shard holds statistics of all events, not only of its own users' events; so does the process that trains the
    network. So every count has to be the number of events sent. Raises Stop (exit 4).
    """
    layout = load_layout(root)
    if layout is None:
        raise Stop(f"{root}: no shard has begun", STATE_UNUSABLE)
    folders = {f"shard {index}": layout.shard(root, index) for index in range(layout.count)}
    folders["network"] = layout.network_folder(root)
    return {name: _counted(folder) for name, folder in folders.items()}


def _counted(folder: Path) -> dict[str, int]:
    state = newest_state(folder, lambda _: None, "The process stopped without one.")
    full = state["arms"]["full"]
    return {name: int(n) for name, n in zip(full["domains"], full["learned"], strict=True)}
