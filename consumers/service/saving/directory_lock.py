"""Lock a folder against a second process."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TextIO


def locked(path: Path) -> TextIO:
    """Lock a file. Raises BlockingIOError if another process holds it."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file
