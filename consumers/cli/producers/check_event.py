"""`crosscurrent check-event`: say what events would be understood as, before they are sent."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import click
import msgspec

from consumers.cli.look import parsed, told, unused
from consumers.cli.options import CONFIG, JSON, write_json
from consumers.cli.producers.guess import guess
from consumers.config.loader import load_for_all
from consumers.config.schema import DomainConfig, Settings
from consumers.errors import BUG, Stop
from consumers.events.decode import Decoded
from consumers.events.record import Record
from consumers.events.rejection import Reason, Rejection
from consumers.formats.mapping import NO_ENVELOPE
from consumers.formats.registry import Registry, SchemaUnavailable
from consumers.formats.topic_reader import decoder_of, topic_readers
from consumers.terminal.plain_text import harmless

ADVICE: dict[Reason, str] = {
    "malformed_json": "write one JSON object a line, in double quotes, without a comma at its end",
    "not_utf8": "encode the text as UTF-8",
    "timestamp_in_seconds": "multiply by 1,000",
    "future_timestamp": "send milliseconds, not microseconds, and look at the producer's clock",
    "unknown_type": "rename the type, or ask the operator to add it to [events]",
    "out_of_range": "send a rating in this range, or ask the operator to change rating_range of the domain",
    "missing_field": "add the field",
    "wrong_type": "send the field as what is allowed, or ask the operator to map another one",
    "bad_id": "shorten the id, or send one that is not empty",
    "too_large": "shorten the texts, or ask the operator to raise intake.max_record_bytes",
    "bad_context": "leave entries of context out",
    "bad_items": "send one impression for each page of items that was seen",
    "bad_tags": "send fewer or shorter tags, without commas and empty ones",
    "bad_vectors": "send fewer or shorter arrays, and no empty one",
    "not_finite": "leave NaN and infinity out",
    "null_value": "send a value; only items are removed by a null",
    "not_framed": "write with the schema registry's serializer, or ask the operator to change the topic's format",
    "unknown_schema": "register the schema at the registry that the config names",
    "unusable_schema": "register a schema of the topic's format, or ask the operator to change the format",
    "malformed_body": "write the value with the schema whose id it carries",
}
"""What a producer can do, where the detail alone does not say it."""
UNWRAP = "ask the operator to set unwrap to the path that the record has, or to leave it out"
NO_TIME = "none given: the time of sending"
STAND_IN = "any"
"""Name of the domain where there is no config."""


class Verdict(msgspec.Struct):
    """What one event would be.

    reason: of a rejection, else empty. told: what it was understood as, or what is wrong. notes: what else to know.
    fits_too: other topics, if the topic is a guess.
    """

    line: int
    topic: str
    good: bool
    reason: str
    told: str
    notes: list[str]
    fits_too: list[str]


class Event(NamedTuple):
    """One value of the file, its line, and what it holds if it is JSON."""

    line: int
    value: bytes
    parsed: Any


@click.command("check-event")
@click.argument("file", type=click.File("rb"))
@CONFIG
@click.option("--topic", help="The topic the events are meant for. Default: guessed from their fields.")
@JSON
def check_event(file: BinaryIO, config: Path | None, topic: str | None, json_file: Path | None) -> int:
    """Say what the events in FILE (- for standard input) would be understood as, or what is wrong with them.

    One JSON event a line, or a single event over several lines. With a config, its topics, formats, rating ranges and
    types of events are used. The value of a topic in another format than JSON is the whole file. Nothing is sent.
    Exit code 1 if an event would become a dead letter.

    \b
    Examples:
      crosscurrent check-event events.jsonl -c crosscurrent.toml
      echo '{"type":"click","user_id":"alice","item_id":"dune"}' | crosscurrent check-event -
      crosscurrent check-event purchase.json --topic interactions.books -c crosscurrent.toml
    """
    settings = _settings(load_for_all(config, need_domains=False), topic)
    if topic is not None and topic not in {name for name, _, _ in settings.topic_formats()}:
        names = ", ".join(name for name, _, _ in settings.topic_formats())
        raise Stop(f"--topic {topic}: no domain of the config owns it. It has {names}")
    verdicts = list(look(settings, file.read(), topic))
    if not verdicts:
        raise Stop("the input holds no event: give a file with one JSON object a line")
    write_json(json_file, msgspec.to_builtins(verdicts))
    _print(verdicts)
    return BUG if any(not verdict.good for verdict in verdicts) else 0


def _print(verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        mark = click.style("ok  ", fg="green") if verdict.good else click.style("FAIL", fg="red")
        click.echo(f"{mark} line {verdict.line}, {verdict.topic}: {verdict.told}")
        for note in verdict.notes:
            click.echo(f"       {note}")
    bad = sum(not verdict.good for verdict in verdicts)
    click.echo(f"{len(verdicts):,} read; {bad:,} would become dead letters")
    if guessed := next((verdict for verdict in verdicts if verdict.fits_too), None):
        others = ", ".join(guessed.fits_too)
        click.echo(f"Topics are guessed: instead of {guessed.topic} it may be {others}. --topic says which.")


def look(settings: Settings, data: bytes, topic: str | None) -> Iterator[Verdict]:
    """Yield a verdict for each event. topic: None to guess. Raises Stop if a schema cannot be fetched."""
    registry = Registry(settings.schema_registry)
    decoder, readers = decoder_of(settings, registry=registry), topic_readers(settings, registry)
    formats = {name: how.format for name, _, how in settings.topic_formats()}
    for event in events(data, topic is None or formats[topic] == "json"):
        found = guess(settings, event.parsed) if topic is None else None
        name = topic or (found.topic if found else "")
        record = Record(name, 0, 0, int(time.time() * 1000), b"", event.value)
        try:
            decoded = decoder.decode(record)
        except SchemaUnavailable as error:
            raise Stop(str(error)) from error
        names = unused(record, readers)
        yield _verdict(event.line, record, decoded, names, found.others if found else [])


def events(data: bytes, lines: bool) -> Iterator[Event]:
    """Yield the values in a file. lines: whether it may hold several."""
    whole = parsed(data)
    if not lines or isinstance(whole, dict):
        yield Event(1, data, whole)
        return
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            yield Event(number, line, parsed(line))


def _verdict(line: int, record: Record, decoded: Decoded, names: list[str], others: list[str]) -> Verdict:
    """names: of fields that are not used. others: topics that fit too."""
    notes, reason = [], ""
    if isinstance(decoded, Rejection):
        text, reason = f"{decoded.reason}: {decoded.detail}", decoded.reason
        if (advice := _advice(decoded)) is not None:
            notes.append(f"what to do: {advice}")
    else:
        text = told(decoded, record, NO_TIME)
    if names:
        notes.append(f"not used: {', '.join(names)}")
    return Verdict(line, record.topic, not reason, reason, _line(text), [*map(_line, notes)], others)


def _advice(rejection: Rejection) -> str | None:
    return UNWRAP if NO_ENVELOPE in rejection.detail else ADVICE.get(rejection.reason)


def _line(text: str) -> str:
    return harmless(text).replace("\n", " ")


def _settings(settings: Settings, topic: str | None) -> Settings:
    """Return the settings, with a domain that takes every rating if there is no domain."""
    if not settings.domains:
        name = (topic or STAND_IN).removeprefix("interactions.").removeprefix("items.")
        settings.domains[name] = DomainConfig(
            rating_range=(-math.inf, math.inf),
            interactions_topic=f"interactions.{name}",
            items_topic=f"items.{name}",
        )
    return settings
