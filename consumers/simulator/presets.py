"""`crosscurrent simulate`: from options to a world, and the world into files or Kafka."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
from kafka.errors import KafkaError

from consumers.config.schema import Settings
from consumers.datasets.record import Sent
from consumers.errors import Stop
from consumers.events.record import Kind
from consumers.kafka_client.client import client_options
from consumers.kafka_client.diagnostics import unreachable
from consumers.kafka_client.producer import make_producer
from consumers.kafka_client.topics import create_topics
from consumers.simulator.event_stream import Simulator, three_domains, to_files, to_kafka
from consumers.simulator.world_settings import Drift, Poison, WorldSettings
from consumers.terminal import log


def settings(
    world: Path | None,
    events: int | None = None,
    seed: int | None = None,
    overlap: float | None = None,
    drifts: tuple[str, ...] = (),
    poisons: tuple[str, ...] = (),
) -> WorldSettings:
    """The world of a TOML file, or the default one, with the changes that are given. Raises Stop."""
    chosen = three_domains() if world is None else _of_file(world)
    if drifts:
        chosen = msgspec.structs.replace(
            chosen, drift=tuple(_drift(text) for text in drifts if text != "none")
        )
    if poisons:
        chosen = msgspec.structs.replace(chosen, poison=tuple(map(_poison, poisons)))
    numbers = {"events": events, "seed": seed, "overlap": overlap}
    given = {name: value for name, value in numbers.items() if value is not None}
    return msgspec.structs.replace(chosen, event_ids=True, **given)


def _of_file(world: Path) -> WorldSettings:
    try:
        return msgspec.convert(tomllib.loads(world.read_text(encoding="utf-8")), WorldSettings)
    except OSError as error:
        raise Stop(f"--world {world}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Stop(f"--world {world}: {error}") from error


def _drift(text: str) -> Drift:
    parts = text.split(":")
    if len(parts) not in (3, 4) or parts[1] not in ("sudden", "gradual", "recurring"):
        raise Stop(f"--drift {text}: write DOMAIN:KIND:AT[:BIAS], such as games:sudden:0.5:1.0")
    kind: Any = parts[1]
    try:
        return Drift(parts[0], kind, float(parts[2]), bias=float(parts[3]) if len(parts) > 3 else 1.0)
    except ValueError as error:
        raise Stop(f"--drift {text}: AT and BIAS are numbers") from error


def _poison(text: str) -> Poison:
    domain, _, at = text.partition(":")
    try:
        return Poison(domain, float(at or 0.0))
    except ValueError as error:
        raise Stop(f"--poison {text}: AT is a number") from error


def _simulator(world: WorldSettings) -> Simulator:
    try:
        return Simulator(world)
    except ValueError as error:
        raise Stop(f"this world cannot be: {error}") from error


def into_files(world: WorldSettings, out: Path, layout: Literal["csv", "jsonl"]) -> dict[str, Any]:
    """Writes the folder; gives what is in it. Raises Stop."""
    try:
        to_files(_simulator(world), out, layout)
    except OSError as error:
        raise Stop(f"--out {out}: {error.strerror}") from error
    return {"events": world.events, "files": sorted(str(p) for p in out.iterdir())}


def into_kafka(
    world: WorldSettings, config: Settings, rate: float | None, truth: Path | None, create: bool
) -> dict[str, Any]:
    """Sends items, then events; gives the counts. Raises Stop."""
    simulator = _simulator(world)
    unknown = [d.name for d in world.domains if d.name not in config.domains]
    if unknown:
        raise Stop(f"the world has domains that the config lacks: {', '.join(unknown)}")
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
            log.bars(log.console()) as bars,
        ):
            task = bars.add_task("sending", total=world.events + sum(d.items for d in world.domains))
            records = _told(simulator.records(), lambda count: bars.advance(task, count))
            counts = to_kafka(records, producer, topic_namer(config), rate)
    except KafkaError as error:
        raise Stop(unreachable(config.kafka, error)) from error
    figures: dict[str, Any] = msgspec.to_builtins(counts)
    return figures


def _told(records: Iterable[Sent], tell: Callable[[int], object], every: int = 50) -> Iterator[Sent]:
    """The same records; `tell` hears how many more have been taken."""
    for n, record in enumerate(records, 1):
        yield record
        if n % every == 0:
            tell(every)


def topic_namer(config: Settings) -> Any:
    """The topic for a kind and a domain; raises Stop for a domain that the config lacks."""

    def topic_of(kind: Kind, domain: str) -> str:
        if domain not in config.domains:
            raise Stop(
                f"domain {domain!r} is not in the config, which has {', '.join(config.domains)}. Add "
                f"[domains.{domain}], or name one of these with --domain."
            )
        entry = config.domains[domain]
        return entry.interactions_topic if kind == "interactions" else entry.items_topic

    return topic_of
