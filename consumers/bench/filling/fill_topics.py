"""Write a stream into a broker's topics, for `bare_poll` and `drain`.

Fields of the task: `data`, `events`, `bootstrap`, `prefix`, `format`, `registry`.
"""

from __future__ import annotations

from typing import Any

from consumers.bench.parts.avro_events import in_avro
from consumers.bench.parts.stream import load, records
from consumers.bench.parts.task import Task, answer
from consumers.bench.parts.topics import Topics
from consumers.kafka_client.producer import make_producer
from consumers.replay.delivery import send


def measure(task: Task) -> dict[str, Any]:
    """Return how many records of each kind are in the log."""
    stream = load(task.data, task.events)
    topics = Topics(task.prefix)
    topics.make(task.bootstrap, [domain.name for domain in stream.domains])
    written = records(stream) if task.format == "json" else in_avro(records(stream), task.registry)
    with make_producer({"bootstrap_servers": task.bootstrap}) as producer:
        counts = send(written, producer, topics.of)
    return {"events": counts.sent, "items": counts.items, "events_per_second": counts.events_per_second}


if __name__ == "__main__":
    answer(measure)
