"""One record for Kafka, wherever it comes from."""

from __future__ import annotations

import msgspec

from consumers.events.record import Kind


class Sent(msgspec.Struct, gc=False):
    """One record for Kafka in contract JSON. `value` None: a tombstone; `timestamp`: the event's, ms."""

    kind: Kind
    domain: str
    key: bytes
    value: bytes | None
    timestamp: int | None = None
    file: str = ""
    line: int = 0
    """Where it was read, if from a table."""
    implicit: bool = False
    """A click because nothing says that it is a rating."""
