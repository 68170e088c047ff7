"""`python -m models.state.compact DIRECTORY SEQUENCE`: makes one whole state of it and its increments.

A process of its own, at low priority: merging large tables would hold the stream up. It needs about twice the memory of
the state. Whoever starts it may end it at any moment: nothing counts before the manifest is there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from models.state.checkpoint import CheckpointDirectory


def main() -> None:
    os.nice(10)
    directory, sequence = sys.argv[1:]
    try:
        CheckpointDirectory(Path(directory), read_only=True).compact(int(sequence))
    except Exception as error:  # whatever it is, the increments are still there
        sys.exit(f"checkpoint {sequence} was not made whole: {error!r}")


if __name__ == "__main__":
    main()
