"""Find how far committed records of a partition can be read: to its last stable offset.

From that offset on, an open transaction has records. It may still be aborted, so Kafka hands out nothing that follows.
The broker sends the offset with every fetch, but kafka-python keeps only the high watermark, which lies further. A
reader that waits to reach the high watermark waits as long as a transaction is open.
"""

from __future__ import annotations

from typing import Any

import structlog

log = structlog.get_logger()


class StableEnds:
    """Listens to the fetches of one consumer, on the thread that polls it."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._ends: dict[Any, int] = {}
        fetcher = consumer._fetcher
        # The method is private: kafka-python has no public one.
        parse = getattr(fetcher, "_parse_fetched_data", None)
        if parse is None:
            log.warning("this kafka-python does not tell last stable offsets: open transactions count as lag")
            return

        def listen(fetch: Any) -> Any:
            told = fetch.partition_data
            if not told.error_code and told.last_stable_offset is not None and told.last_stable_offset >= 0:
                self._ends[fetch.topic_partition] = told.last_stable_offset
            return parse(fetch)

        fetcher._parse_fetched_data = listen

    def get(self, tp: Any) -> int | None:
        """Return the first offset of partition `tp` that cannot be read yet; None before it has answered."""
        highwater: int | None = self._consumer.highwater(tp)
        return None if highwater is None else min(highwater, self._ends.get(tp, highwater))
