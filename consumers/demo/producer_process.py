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
from consumers.replay.delivery import send
from consumers.replay.time_sort import in_time_order
from consumers.simulator.event_stream import Simulator
from consumers.simulator.presets import three_domains
from consumers.simulator.world_settings import WorldSettings

DRIFT_AT = 0.65
"""Share of the events before the target's drift."""
POISON_EVERY, DOUBLE_EVERY = 500, 200
POISON = (
    b"{not json",
    b'{"type":"rating"}',
    b"\xff\xfe",
    b'{"type":"rating","user_id":"","item_id":"x","value":3}',
)


def world_of(events: int, seed: int) -> WorldSettings:
    """Return the demo's world. Its drift comes after the burst, so that one sees what answers it."""
    world = three_domains(events, seed)
    drift = [msgspec.structs.replace(one, at=DRIFT_AT) for one in world.drift]
    return msgspec.structs.replace(world, event_ids=True, drift=tuple(drift))


def streams(orders: dict[str, Any]) -> tuple[Iterable[Sent], Iterable[Sent]]:
    """Return (items, events) of the user's files, or of the simulated world with faults."""
    if orders["files"]:
        reading = msgspec.convert(orders["reading"], ReadOptions)
        check = Check(Settings())
        tables = open_tables([Path(f) for f in orders["files"]], None, reading)
        items, events, _ = in_time_order([scan(table, check) for table in tables])
        known = set(orders["domains"])
        return (r for r in items if r.domain in known), itertools.islice(events, orders["events"])
    simulator = Simulator(world_of(orders["events"], orders["seed"]))
    return simulator.items(), with_faults(simulator.events())


def with_faults(events: Iterable[Sent]) -> Iterator[Sent]:
    """Put a malformed record before every 500th record, and send every 200th twice."""
    bad = itertools.cycle(POISON)
    for number, record in enumerate(events, 1):
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
        stream = iter(events)
        first = send(itertools.islice(stream, orders["burst"]), producer, rate=orders["burst_rate"])
        counts = send(stream, producer, rate=orders["rate"])
        print(json.dumps({"interactions": first.sent + counts.sent}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
