"""Read what brokers report with every fetch: how far a partition can be read, and that they answer at all.

Committed records can be read up to the last stable offset. Behind it an open transaction has records. Whether they
count is open, so Kafka hands out nothing that follows. kafka-python keeps only the high watermark, which lies further.
A reader that waits to reach the high watermark waits as long as a transaction is open.
"""

from __future__ import annotations

import time
from typing import Any

import structlog

log = structlog.get_logger()


class FetchAnswers:
    """Listens to the fetches of one consumer. Times are monotonic, in seconds.

    `answered`: when each broker last answered a fetch. `throttled`: until when a broker, because of a quota, wants to
    be left alone; its answer then holds no records, though there may be some.
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._ends: dict[Any, int] = {}
        self.answered: dict[int, float] = {}
        self.throttled: dict[int, float] = {}
        self.failing: set[Any] = set()
        """Partitions whose latest answer was an error. A broker that says no more about them is not silent."""
        fetcher = consumer._fetcher
        # Private methods: kafka-python has no public way. A version without them fails here, at the start.
        parse, handle = fetcher._parse_fetched_data, fetcher._handle_fetch_response

        def listen(fetch: Any) -> Any:
            told = fetch.partition_data
            (self.failing.add if told.error_code else self.failing.discard)(fetch.topic_partition)
            if not told.error_code and told.high_watermark >= 0:
                stable = told.last_stable_offset
                known = stable is not None and stable >= 0
                self._ends[fetch.topic_partition] = (
                    min(stable, told.high_watermark) if known else told.high_watermark
                )
            return parse(fetch)

        def note(node: int, *details: Any) -> Any:
            now, throttled_ms = time.monotonic(), getattr(details[-1], "throttle_time_ms", 0)
            if throttled_ms:
                self.throttled[node] = now + throttled_ms / 1000
            else:
                self.answered[node] = now
            return handle(node, *details)

        fetcher._parse_fetched_data, fetcher._handle_fetch_response = listen, note

    def take_up_parked(self) -> None:
        """Let kafka-python hand out the records that it put aside when their partition was paused.

        It takes them up only where its place for records in hand is None. It leaves used-up records there, so the
        partition would not be read any more, without an error. Call it before each poll, from the thread that polls.
        """
        fetcher = self._consumer._fetcher
        if not fetcher._next_partition_records:
            fetcher._next_partition_records = None

    def may_wait(self, millis: int) -> None:
        """Set how long brokers wait for records before they answer the next fetches."""
        self._consumer._fetcher.config["fetch_max_wait_ms"] = millis

    def take_ends(self) -> dict[Any, int]:
        """Return the first offset that cannot be read yet, for partitions that reported it since the last call."""
        ends, self._ends = self._ends, {}
        return ends

    def ask_for_leaders(self) -> None:
        """Ask the broker that answered last which broker leads each partition. Its answer is handled in the background.

        By itself kafka-python asks once a fetch has failed, and a fetch from a broker that hangs fails after 30 s.
        """
        if self.answered:
            manager = self._consumer._fetcher._manager
            manager.call_soon(
                manager.cluster.refresh_metadata, max(self.answered, key=self.answered.__getitem__)
            )

    def leader(self, tp: Any) -> int | None:
        """Return the broker that leads partition `tp`; None if there is none."""
        leader: int | None = self._consumer._fetcher._manager.cluster.leader_for_partition(tp)
        return leader

    def name(self, node: int | None) -> str:
        """Name a broker for people, by number and address; None and -1 stand for no broker."""
        if node is None or node < 0:
            return "no leader"
        known = self._consumer._fetcher._manager.cluster.broker_metadata(node)
        return f"broker {node} at {known.host}:{known.port}" if known is not None else f"broker {node}"
