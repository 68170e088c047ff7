"""Files that survive a crash, and their checksums."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

WriteFile = Callable[[Path, bytes], None]
"""Writes one file; on return it is on disk. Raises OSError."""


def new_checksum(data: bytes = b"") -> hashlib.blake2b:
    """Return the BLAKE2b checksum of some bytes, to which more can be added; its `hexdigest()` has 64 digits."""
    return hashlib.blake2b(data, digest_size=32)


def checksum(path: Path) -> str:
    """Return the checksum of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, new_checksum).hexdigest()


def write_durably(path: Path, data: bytes) -> None:
    """Write a file and return once it is on disk. Raises OSError."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Return once the names of a folder's files are on disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
