"""Measure a contestant: a bare kafka-python consumer over the same topics. It decodes nothing.

Fields of the task: `bootstrap`, `prefix`, `events`, `seconds`. The topics are those that `drain` reads.
"""

from __future__ import annotations

import time
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from consumers.bench.parts.task import Task, answer
from consumers.bench.parts.timing import Timed
from consumers.bench.parts.topics import Topics

LEAST_SECONDS = 1.0
"""Seconds for which the log is read, again and again from its beginning."""


def measure(task: Task) -> dict[str, Any]:
    """Poll until `events` interactions came, again and again. The first pass is not timed."""
    consumer = KafkaConsumer(
        bootstrap_servers=task.bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        group_id=None,
    )
    begin = Topics(task.prefix).of("interactions", "")
    topics = [name for name in consumer.topics() if name.startswith(begin)]
    consumer.assign(
        [TopicPartition(name, n) for name in topics for n in consumer.partitions_for_topic(name) or ()]
    )
    deadline = time.perf_counter() + task.seconds
    _pass(consumer, task.events, deadline)
    least, done = time.perf_counter() + LEAST_SECONDS, 0
    with Timed() as timed:
        while time.perf_counter() < min(least, deadline):
            consumer.seek_to_beginning()
            done += _pass(consumer, task.events, deadline)
    consumer.close()
    if done == 0:
        raise RuntimeError(f"{', '.join(topics)}: nothing came within {task.seconds:g} s")
    return {"events": done, "events_per_second": done / timed.wall}


def _pass(consumer: Any, events: int, deadline: float) -> int:
    """Poll until this many records came; return how many did."""
    done = 0
    while done < events and time.perf_counter() < deadline:
        done += sum(map(len, consumer.poll(100).values()))
    return done


if __name__ == "__main__":
    answer(measure)
