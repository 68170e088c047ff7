"""Ask three brokers which of them leads each partition, while some are away."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from typing import NamedTuple

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from consumers.events.record import TopicPartition
from tests.support.service.running import wait_for

ANSWER_MS = 1_000
"""Longest time to wait for a broker's answer; then another broker is asked."""
PATIENCE = 120.0
PREFERRED = 0
"""The kind of election that gives each partition back to the first of its replicas."""


class Led(NamedTuple):
    """One partition: its leader, the election that chose it, and how many replicas are complete."""

    leader: int
    epoch: int
    in_sync: int
    replicas: int


class Quorum:
    """The metadata of some topics, from the brokers that answer."""

    def __init__(self, bootstrap: str, topics: Iterable[str]) -> None:
        self._topics = list(topics)
        self._admin = KafkaAdminClient(
            bootstrap_servers=bootstrap, request_timeout_ms=ANSWER_MS, reconnect_backoff_max_ms=ANSWER_MS
        )

    def close(self) -> None:
        self._admin.close()

    def led(self) -> dict[TopicPartition, Led]:
        """Return every partition; none if no broker has answered."""
        with contextlib.suppress(KafkaError):
            return {
                (topic["name"], p["partition_index"]): Led(
                    p["leader_id"], p["leader_epoch"], len(p["isr_nodes"]), len(p["replica_nodes"])
                )
                for topic in self._admin.describe_topics(self._topics)
                for p in topic["partitions"]
            }
        return {}

    def controller(self) -> int:
        """Return the active controller."""

        def leader() -> int:
            with contextlib.suppress(KafkaError):
                return int(self._admin.describe_metadata_quorum()["topics"][0]["partitions"][0]["leader_id"])
            return 0

        return int(wait_for(leader, PATIENCE, why="a controller"))

    def led_anew(self, before: dict[TopicPartition, Led], died: set[int], away: set[int]) -> float:
        """Wait until every partition has a living leader and takes writes. Return the (monotonic) time.

        away: dead brokers, which cannot be the new leader.
        """

        def is_led(place: TopicPartition, now: Led) -> bool:
            anew = before[place].leader not in died or now.epoch > before[place].epoch
            return anew and now.leader >= 0 and now.leader not in away and now.in_sync >= 2

        wait_for(
            lambda: (led := self.led()) and all(is_led(place, now) for place, now in led.items()),
            PATIENCE,
            why="new leaders",
        )
        return time.monotonic()

    def whole(self) -> None:
        """Wait until every replica of every partition is in sync. Then let each broker lead its share again."""
        wait_for(
            lambda: (led := self.led()) and all(now.in_sync == now.replicas for now in led.values()),
            PATIENCE,
            why="all replicas in sync",
        )
        with contextlib.suppress(KafkaError):  # Kafka does this itself only every five minutes
            self._admin.elect_leaders(PREFERRED, raise_errors=False)
