"""Put records that shards share into envelopes: three bytes for their kind, one for its version, then zstd."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import msgspec
import zstandard

LEVEL = 1
_pack, _unpack = zstandard.ZstdCompressor(level=LEVEL), zstandard.ZstdDecompressor()
Body = TypeVar("Body")


class Envelope(NamedTuple):
    """How records of one kind begin, and what is told of those that cannot be read.

    >>> notes = Envelope(b"CCX", 1, 100, "notes", "notes", "all shards", ValueError)
    >>> notes.unpack(notes.pack(b"red"), bytes.decode)
    'red'
    """

    magic: bytes
    """Three bytes."""
    version: int
    most_bytes: int
    """The largest body, unpacked, that is read."""
    what: str
    """What the records are, in the plural."""
    topic: str
    """What their topic is of."""
    processes: str
    """Which processes must have the same version."""
    error: type[Exception]

    def pack(self, body: bytes) -> bytes:
        """Return a body as a record."""
        return self.magic + bytes([self.version]) + _pack.compress(body)

    def unpack(self, record: bytes, read: Callable[[bytes], Body]) -> Body:
        """Return what `read` makes of a record's body. Raises `error`, also for a ValueError of `read`."""
        if record[:3] != self.magic or len(record) < len(self.magic) + 1:
            raise self.error(
                f"this is no record of {self.what}: another program writes to the topic of {self.topic}"
            )
        if record[3] != self.version:
            raise self.error(
                f"these {self.what} are of version {record[3]}, and this program reads version {self.version}. Run "
                f"{self.processes} with the same version of crosscurrent."
            )
        try:
            return read(_unpack.decompress(record[4:], max_output_size=self.most_bytes))
        except (zstandard.ZstdError, msgspec.DecodeError, ValueError) as error:
            raise self.error(f"a record of {self.what} is damaged: {error}") from error
