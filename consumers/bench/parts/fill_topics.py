"""Write a stream into a broker's topics, for `bare_poll` and `drain`. Fields: `data`, `events`, `bootstrap`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from consumers.bench.parts.stream import Stream, load, records
from consumers.bench.parts.task import Task, answer
from consumers.config.schema import KafkaConfig
from consumers.events.record import Kind
from consumers.kafka_client.producer import make_producer
from consumers.kafka_client.topics import create_topics
from consumers.replay.delivery import send


def measure(task: Task) -> dict[str, Any]:
    """Return how many records of each kind are in the log."""
    stream = load(task.data, task.events)
    make_topics(task.bootstrap, stream)
    with make_producer({"bootstrap_servers": task.bootstrap}) as producer:
        counts = send(records(stream), producer)
    return {"events": counts.sent, "items": counts.items, "events_per_second": counts.events_per_second}


def make_topics(bootstrap: str, stream: Stream) -> None:
    """Create the topics of all domains, and the one of dead letters."""
    kinds: tuple[Kind, ...] = ("interactions", "items")
    names: Iterable[tuple[str, Kind]] = [
        (f"{kind}.{domain.name}", kind) for domain in stream.domains for kind in kinds
    ]
    create_topics({"bootstrap_servers": bootstrap}, names)
    create_topics({"bootstrap_servers": bootstrap}, [(KafkaConfig().dead_letter_topic, "interactions")], 1)


if __name__ == "__main__":
    answer(measure)
