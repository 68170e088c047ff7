"""Say which records that no single user owns a shard writes."""

from __future__ import annotations

import zlib

import msgspec


class ShardPart(msgspec.Struct, frozen=True):
    """The place of this process among the shards of a service. One process alone writes everything."""

    index: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this shard writes the records of domains and the popular lists."""
        return self.index == 0

    @property
    def several(self) -> bool:
        """Whether other shards write to the store too."""
        return self.count > 1

    def owns(self, domain: str, item: str) -> bool:
        """Return whether this shard writes the item's record."""
        return not self.several or zlib.crc32(f"{domain}\t{item}".encode()) % self.count == self.index
