"""Find the log's partitions: those at the start, and in a thread those that are added while the service runs.

On a thread, a slow broker delays nothing.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from typing import Any

from kafka.errors import KafkaError

from consumers.errors import Stop
from consumers.events.decode import Topics
from consumers.events.record import TopicPartition
from consumers.kafka_client.topics import places
from serving.worker import Worker


def described(admin: Any, topics: Topics) -> tuple[set[TopicPartition], dict[str, str]]:
    """Return every partition, and the identity of this log.

    Raises Stop if a topic is missing that has to exist, and KafkaError.
    """
    cluster = admin.describe_cluster().get("cluster_id")
    found, ids = places(admin, topics)
    missing = [topic for topic, (_, kind) in topics.items() if topic not in ids and kind != "forget"]
    if missing:
        raise Stop(
            f"missing topics: {', '.join(missing)}. Create them, for example: crosscurrent check "
            "--create-topics, or kafka-topics.sh --create --topic NAME --partitions 4"
        )
    return found, {"cluster": str(cluster)} | {f"topic:{topic}": ids[topic] for topic in ids}


class PartitionWatch:
    """Looks for partitions every `seconds`. `latest` returns what the last look saw, once.

    connect: makes a Kafka admin client.
    """

    def __init__(self, connect: Callable[[], Any], topics: Iterable[str], seconds: float) -> None:
        self._connect, self._topics, self._seconds = connect, list(topics), seconds
        self._seen: tuple[set[TopicPartition], dict[str, str]] | None = None
        self._closing = threading.Event()
        self._thread = Worker("partitions", self._run, again=seconds)
        self._thread.start()

    def latest(self) -> tuple[set[TopicPartition], dict[str, str]] | None:
        seen, self._seen = self._seen, None
        return seen

    def close(self) -> None:
        """Ask the thread to end: it does so at once, or after its next answer."""
        self._closing.set()
        self._thread.join(2.0)

    def _run(self) -> None:
        while not self._closing.wait(self._seconds):
            with contextlib.suppress(KafkaError, OSError, ValueError), self._connect() as admin:
                while True:
                    self._seen = places(admin, self._topics)
                    if self._closing.wait(self._seconds):
                        return
