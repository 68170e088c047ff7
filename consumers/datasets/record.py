"""Define a record for Kafka, from any origin."""

from __future__ import annotations

import msgspec

from consumers.events.record import Kind


class Sent(msgspec.Struct, gc=False):
    """One record for Kafka in contract JSON. `value` None: a tombstone. `timestamp`: the event's, ms."""

    kind: Kind
    domain: str
    key: bytes
    value: bytes | None
    timestamp: int | None = None
    file: str = ""
    line: int = 0
    """The line of the table that it was read from."""
    implicit: bool = False
    """Whether it counts as a click only because it has no rating."""
