"""Say when a checkpoint is due, how much of the state it holds, and when increments are compacted."""

from __future__ import annotations

import msgspec

from models.state.durable_files import WriteFile, write_durably


class CheckpointPolicy(msgspec.Struct, frozen=True):
    """The limits by which a `Checkpointer` decides."""

    whole_mb: float = 32.0
    """Megabytes. A smaller state is copied whole every time, which takes a few milliseconds."""
    min_increments: int = 16
    """From this number on, increments are compacted if they outgrow the whole state."""
    max_increments: int = 128
    """At this number, increments are compacted in any case."""
    max_events: int = 10_000
    """A checkpoint is due after this many events: what they touched is copied while the stream waits."""
    max_failures: int = 3
    """Failed compactions after which the stream waits for a whole checkpoint, if one is needed to erase a user."""
    retry_seconds: float = 2.0
    """Seconds after which a write that found no room is tried again."""
    write_file: WriteFile = write_durably
    """Writes a file and returns once it is on disk."""
