"""Files that survive a crash, and their checksums."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from crc32c import crc32c

WriteFile = Callable[[Path, bytes], None]
"""Writes one file; on return it is on disk. Raises OSError."""
PIECE = 1 << 20
"""Bytes that are read before they are added to the checksum: few enough for the processor's cache."""
PREFIX = "crc32c:"


class Checksum(Protocol):
    """A checksum of bytes that come one after the other."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Add the next bytes."""

    def hexdigest(self) -> str:
        """Return the checksum of all bytes so far."""


class Crc32c:
    """CRC-32C (Castagnoli), as in ext4 and Kafka: the processor computes it, 16 times as fast as BLAKE2b.

    It finds damage, not forgery: who can write to the folder can write a checksum too.

    >>> damaged = Crc32c()
    >>> damaged.update(b"123456789")
    >>> damaged.hexdigest()
    'crc32c:e3069283'
    """

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        """Add the next bytes."""
        self._value = crc32c(data, self._value)

    def hexdigest(self) -> str:
        """Return the checksum of all bytes so far, in eight digits after its name."""
        return f"{PREFIX}{self._value:08x}"


def checksum_like(known: str) -> Checksum:
    """Return a new checksum of the kind of `known`. Early versions wrote BLAKE2b, in 64 hex digits."""
    return Crc32c() if known.startswith(PREFIX) else hashlib.blake2b(digest_size=32)


def checksum_of(data: bytes | memoryview, like: str = PREFIX) -> str:
    """Return the checksum of some bytes, of the kind of `like`."""
    made = checksum_like(like)
    made.update(data)
    return made.hexdigest()


def checksum(path: Path, like: str = PREFIX) -> str:
    """Return the checksum of a file, of the kind of `like`."""
    made = checksum_like(like)
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            made.update(piece)
    return made.hexdigest()


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
