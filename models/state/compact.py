"""Make one whole state of a checkpoint and its increments: `python -m models.state.compact DIRECTORY SEQUENCE`.

This runs as another process, at low priority, because merging large tables would delay the stream. It needs about
twice the memory of the state. It may be ended at any moment: nothing counts before the manifest is written.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from models.state.checkpoint import CheckpointDirectory


def main() -> None:
    """Compact the checkpoint of the command line. Exit with a message if that fails."""
    os.nice(10)
    directory, sequence = sys.argv[1:]
    try:
        CheckpointDirectory(Path(directory), read_only=True).compact(int(sequence))
    except Exception as error:  # after any error the increments are still there
        sys.exit(f"checkpoint {sequence} was not made whole: {error!r}")


if __name__ == "__main__":
    main()
