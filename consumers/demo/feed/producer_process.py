"""Run the demo's producer: items, then on `go` the events, with some malformed and repeated ones among them."""

from __future__ import annotations

import itertools
import json
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
from kafka import KafkaProducer

from consumers.config.schema import Settings
from consumers.datasets.checking import Check
from consumers.datasets.opening import open_tables
from consumers.datasets.options import ReadOptions
from consumers.datasets.record import Sent
from consumers.datasets.scan import scan
from consumers.demo.feed.sent_events import POISON, Sorting
from consumers.kafka_client.producer import make_producer
from consumers.replay.delivery import default_topic, send
from consumers.replay.time_sort import in_time_order
from consumers.simulator.event_stream import Simulator
from consumers.simulator.world_settings import WorldSettings

POISON_EVERY, DOUBLE_EVERY = 500, 200


class Placing:
    """A producer that also counts the events of each partition, and keeps the offset behind the last of them.

    domains: by topic, of whose events `sorting` gets each; it gets none by default.
    """

    def __init__(self, producer: KafkaProducer, domains: Mapping[str, str] | None = None) -> None:
        self._producer, self._domains = producer, domains or {}
        self.sorting = Sorting()
        self.flush, self.partitions_for = producer.flush, producer.partitions_for
        self._waiting: deque[Any] = deque()
        self._parts: dict[tuple[str, int], tuple[int, int]] = {}

    def send(self, topic: str, value: bytes | None, key: bytes | None, partition: int) -> Any:
        future = self._producer.send(topic, value, key, partition=partition)
        self._waiting.append((future, key, value))
        self._settle(lambda: self._waiting[0][0].is_done)
        return future

    def parts(self) -> dict[tuple[str, int], tuple[int, int]]:
        """Return (events, offset behind the last) by topic and partition, once all is sent."""
        self._settle(lambda: True)
        return self._parts

    def events_sent(self) -> int:
        """Return how many events to be learned are among what was sent, once all of it is acknowledged."""
        self._settle(lambda: True)
        return len(self.sorting.sent.events)

    def _settle(self, known: Callable[[], bool]) -> None:
        while self._waiting and known():
            future, key, value = self._waiting.popleft()
            record = future.get()
            count, end = self._parts.get((record.topic, record.partition), (0, 0))
            self._parts[record.topic, record.partition] = count + 1, max(end, record.offset + 1)
            if (
                (domain := self._domains.get(record.topic)) is not None
                and key is not None
                and value is not None
            ):
                self.sorting.add(domain, key, value, record.timestamp)


def take(records: Iterator[Sent], events: int) -> Iterator[Sent]:
    """Yield records up to the last of so many events; items among them do not count."""
    while events > 0 and (record := next(records, None)) is not None:
        events -= record.kind == "interactions"
        yield record


def streams(orders: dict[str, Any]) -> tuple[Iterable[Sent], Iterable[Sent]]:
    """Return (items, events) of the user's files, or of the simulated world with faults."""
    if orders["files"]:
        reading = msgspec.convert(orders["reading"], ReadOptions)
        check = Check(Settings())
        tables = open_tables([Path(f) for f in orders["files"]], None, reading)
        items, events, _ = in_time_order([scan(table, check) for table in tables])
        known = set(orders["domains"])
        return (r for r in items if r.domain in known), itertools.islice(events, orders["events"])
    simulator = Simulator(msgspec.convert(orders["world"], WorldSettings))
    return simulator.items(), with_faults(simulator.events())


def with_faults(events: Iterable[Sent]) -> Iterator[Sent]:
    """Put a malformed record before every 500th event, and send every 200th twice."""
    bad, number = itertools.cycle(POISON), 0
    for record in events:
        if record.kind == "items":
            yield record
            continue
        number += 1
        if number % POISON_EVERY == 0:
            yield Sent("interactions", record.domain, record.key, next(bad))
        yield record
        if number % DOUBLE_EVERY == 0:
            yield record


def main() -> None:
    orders = json.loads(sys.argv[1])
    items, events = streams(orders)
    with make_producer({"bootstrap_servers": orders["bootstrap"]}, linger_ms=2) as producer:
        sent = send(items, producer)
        print(json.dumps({"items": sent.items}), flush=True)  # noqa: T201  the parent reads it
        if not sys.stdin.readline():
            return
        topics = {default_topic("interactions", domain): domain for domain in orders["domains"]}
        stream, placing = iter(events), Placing(producer, topics if orders["sent_file"] else None)
        placed = cast("KafkaProducer", placing)  # what `send` needs of one
        send(take(stream, orders["burst"]), placed, rate=orders["burst_rate"])
        rate = orders["rate"]
        if orders["sent_file"]:
            print(json.dumps({"burst": placing.events_sent()}), flush=True)  # noqa: T201
            if not (line := sys.stdin.readline()):
                return
            rate = float(line)
        send(stream, placed, rate=rate)
        parts = [[*place, *part] for place, part in placing.parts().items() if place[0] in topics]
        if orders["sent_file"]:
            placing.sorting.sent.write(Path(orders["sent_file"]))
        print(json.dumps(parts), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
