"""Measure what decoding an event costs in each format, alone and in the loop: `python -m tests.bench.formats`.

The same rating with an event_id, a time and a context. Formats take turns. The cost of an event is that of the median
call, which other work on the machine disturbs least. The loop is that of `run` from the log to the learners, without
broker and store, in CPU time.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest import mock

from google.protobuf import message_factory

from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.events.decode import Decoder
from consumers.events.record import Record
from consumers.formats import protobuf as body_of_protobuf
from consumers.formats.registry import Registry
from consumers.formats.topic_reader import decoder_of
from consumers.terminal import log
from models.schema import Interaction
from models.threads import use_one_thread
from tests.support.doubles import ListSource
from tests.support.log.formats import NOW, avro, protobuf
from tests.support.log.registry import avro_body, framed, record
from tests.support.service.pipelines import list_pipeline

EVENTS, ROUNDS = 2_000, 40
LOOP_EVENTS, LOOP_ROUNDS = 8_000, 9
RENAMED: dict[str, Any] = {
    "fields": {"user_id": "uid", "item_id": "sku", "value": "stars", "timestamp": "at"}
}
SCHEMA = record(
    "Event",
    {"name": "type", "type": {"type": "enum", "name": "Kind", "symbols": ["click", "rating"]}},
    ("uid", "string"),
    ("sku", "string"),
    ("stars", ["null", "double"]),
    ("at", {"type": "long", "logicalType": "timestamp-millis"}),
    ("event_id", ["null", "string"]),
    ("context", ["null", {"type": "map", "values": "string"}]),
)
PROTO = """
syntax = "proto3";
message Event {
  string type = 1; string uid = 2; string sku = 3; optional double stars = 4; int64 at = 5; string event_id = 6;
  map<string, string> context = 7;
}
"""
SCHEMAS = {1: avro(SCHEMA), 2: protobuf(PROTO)}


class Format(NamedTuple):
    """A format: how a topic is read, and how an event is written."""

    config: dict[str, Any]
    write: Callable[[dict[str, Any]], bytes]


def as_json(row: dict[str, Any]) -> bytes:
    return json.dumps(row).encode()


def in_contract(row: dict[str, Any]) -> bytes:
    names = {"uid": "user_id", "sku": "item_id", "stars": "value", "at": "timestamp"}
    return as_json({names.get(name, name): value for name, value in row.items()})


def in_debezium(row: dict[str, Any]) -> bytes:
    source = {
        "version": "3.0",
        "connector": "postgresql",
        "name": "shop",
        "db": "shop",
        "table": "ratings",
        "lsn": 1,
    }
    return as_json({"before": None, "after": row, "source": source, "op": "c", "ts_ms": NOW})


def formats() -> dict[str, Format]:
    file = body_of_protobuf._file(SCHEMAS[2])
    event: Any = message_factory.GetMessageClass(file.message_types_by_name["Event"])
    return {
        "json, as the contract defines it": Format({}, in_contract),
        "json, fields renamed": Format(RENAMED, as_json),
        "json, of Debezium": Format(RENAMED | {"unwrap": "after"}, in_debezium),
        "json_schema": Format(RENAMED | {"format": "json_schema"}, lambda row: framed(9, as_json(row))),
        "avro": Format(RENAMED | {"format": "avro"}, lambda row: framed(1, avro_body(SCHEMA, row))),
        "protobuf": Format(
            RENAMED | {"format": "protobuf"}, lambda row: framed(2, event(**row).SerializeToString(), b"\0")
        ),
    }


def settings_of(one: Format) -> Settings:
    return build(
        {
            "schema_registry": {"url": "http://registry:8081"},
            "domains": {"movies": {"interactions": one.config}},
        }
    )


def log_of(one: Format, events: int) -> list[Record]:
    records = []
    for n in range(events):
        row = {
            "type": "rating",
            "uid": f"u{n % 997}",
            "sku": f"i{n * 7 % 499}",
            "stars": float(1 + n % 5),
            "at": NOW + n,
            "event_id": f"e{n}",
            "context": {"device": "tv"},
        }
        key = str(row["uid"]).encode()
        records.append(Record("interactions.movies", 0, n, NOW + n, key, one.write(row)))
    return records


def decode(decoder: Decoder, records: list[Record]) -> float:
    """Return the seconds of the median call."""
    read, clock, times = decoder.decode, time.perf_counter_ns, []
    for one in records:
        begun = clock()
        read(one)
        times.append(clock() - begun)
    return statistics.median(times) / 1e9


def drain(settings: Settings, records: list[Record]) -> float:
    """Return the CPU seconds that an event takes to be decoded and learned."""
    source = ListSource(records)
    running = list_pipeline(settings, source)
    running.restore()
    begun = time.process_time()
    while not source.exhausted or len(running.batcher) >= settings.intake.batch_events:
        running.step()
    return (time.process_time() - begun) / len(records)


def medians(measure: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in measure}
    for number in range(rounds):
        names = list(measure)
        for name in names if number % 2 else reversed(names):
            found[name].append(measure[name]())
    return found


def ratio(found: dict[str, list[float]], name: str, first: str) -> float:
    """Return the median over the rounds of the ratio of two costs."""
    return statistics.median(a / b for a, b in zip(found[name], found[first], strict=True))


def main() -> None:
    use_one_thread()
    log.configure(quiet=True)
    every = formats()
    first = next(iter(every))
    with mock.patch.object(Registry, "schema", lambda _self, number: SCHEMAS[number]):
        decoders = {name: decoder_of(settings_of(one)) for name, one in every.items()}
        logs = {name: log_of(one, EVENTS) for name, one in every.items()}
        for name, decoder in decoders.items():
            assert isinstance(decoder.decode(logs[name][0]), Interaction), decoder.decode(logs[name][0])
        found = medians({n: lambda n=n: decode(decoders[n], logs[n]) for n in every}, ROUNDS)  # type: ignore[misc]
        base = statistics.median(found[first])
        for name, times in found.items():
            cost = statistics.median(times)
            more = f"{(cost - base) * 1e6:+6.2f} µs" if name != first else " " * 9
            print(f"{name:30} {cost * 1e6:6.2f} µs an event {more}   x {ratio(found, name, first):.2f}")
        learned = (first, "avro", "protobuf")
        loop = {name: (settings_of(every[name]), log_of(every[name], LOOP_EVENTS)) for name in learned}
        drain(*loop[first])
        found = medians({n: lambda n=n: drain(*loop[n]) for n in loop}, LOOP_ROUNDS)  # type: ignore[misc]
        for name, times in found.items():
            rate = ratio(found, first, name)
            print(f"{name:30} {statistics.median(times) * 1e6:6.1f} µs an event, learned   rate x {rate:.3f}")


if __name__ == "__main__":
    main()
