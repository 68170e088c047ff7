"""Keep what the demo's feed has sent: which events are to be learned, and when the broker got each of them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

POISON = (
    b"{not json",
    b'{"type":"rating"}',
    b"\xff\xfe",
    b'{"type":"rating","user_id":"","item_id":"x","value":3}',
)
"""Records that no service can use."""


class SentEvent(NamedTuple):
    """One event to be learned. sent_ms: its record's time in the log."""

    domain: str
    user: str
    sent_ms: int


class SentEvents(msgspec.Struct):
    """All events to be learned, in the order of each partition. malformed, repeats: other records, sent as well."""

    events: list[SentEvent] = []
    malformed: int = 0
    repeats: int = 0

    def write(self, path: Path) -> None:
        path.write_bytes(msgspec.msgpack.encode(self))


def read_sent(path: Path) -> SentEvents:
    """Read what `SentEvents.write` has written."""
    return msgspec.msgpack.decode(path.read_bytes(), type=SentEvents)


class _Named(msgspec.Struct):
    """The part of an event that tells it from others."""

    event_id: str | int | None = None


class Sorting:
    """Tells events to be learned from malformed ones and from repeats of an event id."""

    def __init__(self) -> None:
        self.sent = SentEvents()
        self._known: set[tuple[str, str | int]] = set()
        self._decode = msgspec.json.Decoder(_Named).decode

    def add(self, domain: str, key: bytes, value: bytes, sent_ms: int) -> None:
        """Count one record that the broker has acknowledged. key: its user."""
        if value in POISON:
            self.sent.malformed += 1
            return
        event_id = self._decode(value).event_id
        if event_id is not None:
            if (domain, event_id) in self._known:
                self.sent.repeats += 1
                return
            self._known.add((domain, event_id))
        self.sent.events.append(SentEvent(domain, key.decode(), sent_ms))
