"""Share facts through a list in memory, with answers that a test can hold back."""

from __future__ import annotations

from consumers.errors import STATE_UNUSABLE, Stop
from tests.support.clock import Clock


class MemoryFacts:
    """A `FactsLog` over a list that all shards of a test have. held: nothing is acknowledged or written meanwhile."""

    def __init__(self, records: list[bytes], clock: Clock, written: list[bytes] | None = None) -> None:
        """written: where records go, if not to `records`."""
        self._records, self._clock = records, clock
        self._written = records if written is None else written
        self._position = 0
        self._waiting: list[bytes] = []
        self._since = 0.0
        self.sent = 0
        self.held = False
        self.replaced = False

    def start(self, offset: int) -> list[list[tuple[int, bytes]]]:
        self._position = offset
        return [self.poll()]

    def poll(self) -> list[tuple[int, bytes]]:
        begin, self._position = self._position, len(self._records)
        return [(n + 1, self._records[n]) for n in range(begin, self._position)]

    def send(self, record: bytes, key: bytes | None = None) -> None:
        del key
        if not self._waiting:
            self._since = self._clock()
        self._waiting.append(record)
        self.sent += 1
        self.deliver()

    def deliver(self) -> None:
        """Write and acknowledge what waits, unless it is held back."""
        if not self.held:
            self._written += self._waiting
            self._waiting = []

    def wait(self, count: int, timeout: float | None = None) -> bool:
        del timeout
        return self.sent - len(self._waiting) >= count

    def unacknowledged(self) -> float:
        return self._clock() - self._since if self._waiting else 0.0

    def behind(self) -> int:
        return len(self._records) - self._position

    def check(self) -> None:
        if self.replaced:
            raise Stop("another process runs as this shard", STATE_UNUSABLE)

    def close(self) -> None:
        self._waiting = []
