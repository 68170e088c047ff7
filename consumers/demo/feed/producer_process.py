"""Run the demo's producer: items, then on `go` the events, with some malformed and repeated ones among them."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from consumers.config.schema import Settings
from consumers.datasets.checking import Check
from consumers.datasets.opening import open_tables
from consumers.datasets.options import ReadOptions
from consumers.datasets.record import Sent
from consumers.datasets.scan import scan
from consumers.demo.feed.sent_events import POISON, Sorting
from consumers.kafka_client.producer import make_producer
from consumers.replay.delivery import Hooks, default_topic, send
from consumers.replay.time_sort import in_time_order
from consumers.simulator.event_stream import Simulator
from consumers.simulator.world_settings import WorldSettings

POISON_EVERY, DOUBLE_EVERY = 500, 200


class Acknowledged:
    """What the broker has taken: of each partition the number of events, and the offset behind the last of them.

    With `sort`, `sorting` also tells events from repeats and from malformed records.
    """

    def __init__(self, topics: Collection[str], sort: bool) -> None:
        """topics: those whose records count."""
        self._topics, self._sort = topics, sort
        self.sorting = Sorting()
        self.parts: dict[tuple[str, int], tuple[int, int]] = {}

    def add(self, record: Sent, place: Any) -> None:
        """Count one. place: kafka-python's metadata of the record."""
        if place.topic not in self._topics:
            return
        count, end = self.parts.get((place.topic, place.partition), (0, 0))
        self.parts[place.topic, place.partition] = count + 1, max(end, place.offset + 1)
        if self._sort and record.value is not None:
            self.sorting.add(record.domain, record.key, record.value, place.timestamp)


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
        topics = {default_topic("interactions", domain) for domain in orders["domains"]}
        taken = Acknowledged(topics, sort=bool(orders["sent_file"]))
        hooks, stream, rate = Hooks(on_acknowledged=taken.add), iter(events), orders["rate"]
        send(take(stream, orders["burst"]), producer, rate=orders["burst_rate"], hooks=hooks)
        if orders["sent_file"]:
            print(json.dumps({"burst": len(taken.sorting.sent.events)}), flush=True)  # noqa: T201
            if not (line := sys.stdin.readline()):
                return
            rate = float(line)
        send(stream, producer, rate=rate, hooks=hooks)
        parts = [[*place, *part] for place, part in taken.parts.items()]
        if orders["sent_file"]:
            taken.sorting.sent.write(Path(orders["sent_file"]))
        print(json.dumps(parts), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
