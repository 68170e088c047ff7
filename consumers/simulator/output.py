"""Write a simulated world into files or send it to Kafka."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import msgspec
from kafka.errors import KafkaError

from consumers.config.schema import Settings
from consumers.datasets.record import Sent
from consumers.errors import Stop
from consumers.kafka_client.client import client_options
from consumers.kafka_client.problems.diagnostics import why_unreachable
from consumers.kafka_client.producer import make_producer
from consumers.kafka_client.topics import create_topics
from consumers.replay.delivery import send
from consumers.simulator.event_stream import Simulator
from consumers.simulator.world_settings import WorldSettings
from consumers.terminal import log, progress


def _simulator(world: WorldSettings) -> Simulator:
    try:
        return Simulator(world)
    except ValueError as error:
        raise Stop(f"this world is impossible: {error}") from error


def into_files(world: WorldSettings, out: Path) -> dict[str, Any]:
    """Write the folder `out`. Return the number of events and the files. Raises Stop."""
    try:
        simulator = _simulator(world)
        with progress.bars(log.console(stderr=True)) as bars:
            task = bars.add_task("writing", total=_size(world), unit="records")
            write_files(simulator, out, lambda count: bars.advance(task, count))
    except OSError as error:
        raise Stop(f"--out {out}: {error.strerror}") from error
    return {"events": world.events, "files": sorted(str(p) for p in out.iterdir())}


def into_kafka(
    world: WorldSettings, config: Settings, rate: float | None, truth: Path | None, create: bool
) -> dict[str, Any]:
    """Send items, then events. Return what was sent. Raises Stop."""
    simulator = _simulator(world)
    stop_if_lacking(config, [domain.name for domain in world.domains])
    if truth is not None:
        try:
            truth.write_bytes(msgspec.json.encode(simulator.truth()))
        except OSError as error:
            raise Stop(f"--truth {truth}: {error.strerror}") from error
    try:
        if create:
            create_topics(client_options(config.kafka), config.topic_kinds())
        with (
            make_producer(client_options(config.kafka), live=rate is not None) as producer,
            progress.bars(log.console()) as bars,
        ):
            task = bars.add_task("sending", total=_size(world), unit="records")
            records = _telling(simulator.records(), lambda count: bars.advance(task, count))
            counts = send(records, producer, config.topic_of, rate)
    except KafkaError as error:
        raise Stop(why_unreachable(config.kafka, error)) from error
    figures: dict[str, Any] = msgspec.to_builtins(counts)
    return figures


def _size(world: WorldSettings) -> int:
    """Return the number of records of a world."""
    return world.events + sum(d.items for d in world.domains)


def stop_if_lacking(config: Settings, domains: Iterable[str]) -> None:
    """Raise Stop if the config lacks one of a world's domains."""
    if lacking := [name for name in domains if name not in config.domains]:
        sections = ", ".join(f"[domains.{name}]" for name in lacking)
        raise Stop(
            f"the world has domains that the config lacks: {', '.join(lacking)}. Add {sections} to it, with "
            'role = "target" to get lists, or name another world (--world, --scenario)'
        )


def _telling(records: Iterable[Sent], tell: Callable[[int], object], every: int = 50) -> Iterator[Sent]:
    """Yield the records; call `tell(every)` after each `every` of them."""
    for n, record in enumerate(records, 1):
        yield record
        if n % every == 0:
            tell(every)


def write_files(
    simulator: Simulator, directory: Path, tell: Callable[[int], object] = lambda _: None
) -> None:
    """Write `interactions.csv.gz`, `items.csv.gz` and `truth.json`; `replay` reads the first two without options."""
    directory.mkdir(parents=True, exist_ok=True)
    _write_csv(simulator, directory, tell)
    (directory / "truth.json").write_bytes(msgspec.json.encode(simulator.truth()))


def _write_csv(simulator: Simulator, directory: Path, tell: Callable[[int], object]) -> None:
    """Write both tables, with a column `type` if a domain has clicks beside ratings.

    Without the column a missing rating would be an error.
    """
    mixed = any(domain.kind == "both" for domain in simulator.settings.domains)

    def create(name: str) -> TextIO:
        return gzip.open(directory / name, "wt", compresslevel=6, encoding="utf-8", newline="")

    with create("interactions.csv.gz") as events_file, create("items.csv.gz") as items_file:
        events, items = (
            csv.writer(events_file, lineterminator="\n"),
            csv.writer(items_file, lineterminator="\n"),
        )
        events.writerow(["user_id", "item_id", "domain", "rating", "timestamp", *(["type"] if mixed else [])])
        items.writerow(["item_id", "domain", "title", "text"])
        for record in _telling(simulator.records(), tell):
            if record.value is None:
                continue  # a table cannot say that an item is removed
            row = msgspec.json.decode(record.value)
            if record.kind == "items":
                items.writerow([row["item_id"], record.domain, row["title"], row["text"]])
            else:
                rating, seconds = row.get("value", ""), row["timestamp"] // 1000
                kind = [row["type"]] if mixed else []
                events.writerow([row["user_id"], row["item_id"], record.domain, rating, seconds, *kind])
