"""Run the demo's producer: items, then on `go` the events, with some malformed and repeated ones among them."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from consumers.config.schema import Settings
from consumers.datasets.checking import Check
from consumers.datasets.opening import open_tables
from consumers.datasets.options import ReadOptions
from consumers.datasets.record import Sent
from consumers.datasets.scan import scan
from consumers.kafka_client.producer import make_producer
from consumers.replay.delivery import Hooks, default_topic, send
from consumers.replay.time_sort import in_time_order
from consumers.simulator.event_stream import Simulator
from consumers.simulator.world_settings import WorldSettings

POISON_EVERY, DOUBLE_EVERY = 500, 200
POISON = (
    b"{not json",
    b'{"type":"rating"}',
    b"\xff\xfe",
    b'{"type":"rating","user_id":"","item_id":"x","value":3}',
)


class Parts(dict[tuple[str, int], tuple[int, int]]):
    """By topic and partition: the number of acknowledged events, and the offset behind the last of them."""

    def add(self, acknowledged: Any) -> None:
        """Count one. acknowledged: kafka-python's metadata of a record."""
        place = acknowledged.topic, acknowledged.partition
        count, end = self.get(place, (0, 0))
        self[place] = count + 1, max(end, acknowledged.offset + 1)


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
        stream, placed = iter(events), Parts()
        hooks = Hooks(on_acknowledged=placed.add)
        topics = {default_topic("interactions", domain) for domain in orders["domains"]}
        send(take(stream, orders["burst"]), producer, rate=orders["burst_rate"], hooks=hooks)
        send(stream, producer, rate=orders["rate"], hooks=hooks)
        parts = [[*place, *part] for place, part in placed.items() if place[0] in topics]
        print(json.dumps(parts), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
