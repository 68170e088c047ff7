"""Log the place of the first record of a kind, where a counter only tells that there are some."""

from __future__ import annotations

import structlog

from consumers.events.record import Record

log = structlog.get_logger()


class FirstRecords:
    """Logs the first record of each topic that something is said of. Later ones are only counted, elsewhere."""

    def __init__(self) -> None:
        self._told = set[tuple[str, str]]()

    def tell(self, what: str, record: Record) -> None:
        """Say something of a record; `what` is one of few sentences."""
        if (what, record.topic) in self._told:
            return
        self._told.add((what, record.topic))
        log.warning(what, topic=record.topic, partition=record.partition, offset=record.offset)
