"""Send raw keys and values back to where they came from, each record once, for `dead-letters replay`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from consumers.config.schema import Settings
from consumers.dead_letters.options import ResendOptions
from consumers.dead_letters.topic_reader import REPLAYED, Letter, LetterId, LetterLog
from consumers.errors import Stop
from consumers.events.decode import FUTURE_LIMIT_MS, Decoder
from consumers.events.record import Record
from consumers.events.rejection import Rejection
from consumers.formats.registry import SchemaUnavailable
from consumers.formats.topic_reader import decoder_of
from consumers.kafka_client.client import client_options
from consumers.kafka_client.problems.diagnostics import why_unreachable
from consumers.kafka_client.producer import MAX_REQUEST_BYTES, make_producer
from consumers.kafka_client.topics import partition_counts

CHUNK_RECORDS, CHUNK_BYTES = 500, 8 * 1024 * 1024
"""Records that are sent, acknowledged and then marked together. A crash in between may send them twice."""


PRODUCER = {
    "max_request_size": MAX_REQUEST_BYTES,
    "enable_idempotence": False,
    "max_in_flight_requests_per_connection": 1,
}
"""The producer is not idempotent: an idempotent one sends nothing more once the broker has refused a letter."""


class Replayed(msgspec.Struct):
    """The outcome for the selected letters. `refused`: id and reason of those that were not sent."""

    sent: int = 0
    replayed_before: int = 0
    refused: dict[str, str] = {}
    unmended: int = 0
    """Those of `refused` that would become dead letters again."""
    dry_run: bool = False


class Wanted(msgspec.Struct, frozen=True):
    """Selects letters. Empty fields select all; `ids` narrows further."""

    reason: str | None = None
    topic: str | None = None
    ids: frozenset[LetterId] = frozenset()

    def __call__(self, letter: Letter) -> bool:
        return (
            (self.reason is None or letter.reason == self.reason)
            and (self.topic is None or letter.topic == self.topic)
            and (not self.ids or letter.id in self.ids)
        )


def replay_letters(
    settings: Settings, log: LetterLog, wanted: Wanted, options: ResendOptions, say: Callable[[str], object]
) -> Replayed:
    """Send the letters that `wanted` selects and that were not sent before. `say` gets a line for each. Raises Stop.

    Each is decoded first, with these settings, and stays where it is if it would become a dead letter again.
    A letter counts as sent once the broker has acknowledged both it and its mark. After a crash between the two it has
    no mark, so the next replay sends it again (an `event_id` makes that harmless).
    """
    done = log.replayed()
    config, decoder = settings.kafka, None if options.force else decoder_of(settings)
    report = Replayed(dry_run=options.dry_run)
    found: set[LetterId] = set()
    producer = admin = None
    try:
        try:
            admin = KafkaAdminClient(**client_options(config))
            producer = make_producer(client_options(config), live=True, **PRODUCER)
        except KafkaError as error:
            raise Stop(why_unreachable(config, error)) from error
        sender = _Sender(config.dead_letter_topic, producer, admin, report, say)
        for letter in filter(wanted, log.letters()):
            found.add(letter.id)
            if letter.source in done:
                report.replayed_before += 1
                say(f"{letter.name}: was sent back before, not sent again")
            elif why := sender.unsendable(letter):
                sender.refuse(letter, why)
            elif decoder is not None and (fault := _fault(decoder, letter)) is not None:
                report.unmended += 1
                sender.refuse(letter, f"would become a dead letter again: {fault}")
            else:
                done.add(letter.source)
                sender.add(letter)
        sender.settle()
    finally:
        if producer is not None:
            producer.close(timeout=5)
        if admin is not None:
            admin.close()
    for partition, offset in sorted(wanted.ids - found):
        report.refused[f"{partition}:{offset}"] = "no such letter"
        say(f"{partition}:{offset}: no such letter (or the other filters leave it out)")
    return report


def _fault(decoder: Decoder, letter: Letter) -> str | None:
    """Return why the service would reject the letter's record again; None if it would not. Raises Stop."""
    _, partition, offset, _ = letter.source
    try:
        decoded = decoder.decode(
            Record(letter.topic, int(partition), int(offset), letter.source_ms, letter.key, letter.value)
        )
    except SchemaUnavailable as error:
        raise Stop(f"{letter.name} cannot be decoded now: {error}; --force sends without decoding") from error
    return f"{decoded.reason}: {decoded.detail}" if isinstance(decoded, Rejection) else None


class _Sender:
    """Sends in chunks: records, their acknowledgements, then their marks."""

    def __init__(
        self, marks: str, producer: Any, admin: Any, report: Replayed, say: Callable[[str], object]
    ) -> None:
        self._marks = marks
        self._producer = producer
        self._admin = admin
        self._report = report
        self._say = say
        self._chunk: list[Letter] = []
        self._bytes = 0
        self._partitions: dict[str, int] = {}

    def unsendable(self, letter: Letter) -> str | None:
        """Return why this letter cannot go back; None if it can."""
        headers = letter.headers
        if not all(headers.get(name, "").isdecimal() for name in ("partition", "offset")) or not letter.topic:
            return "has no topic, partition and offset headers: not one of our letters"
        if "truncated" in headers:
            return f"only {len(letter.value or b'')} of {headers.get('length', '?')} bytes were kept; send it again"
        if "null_record" in headers:
            return "had neither key nor value: there is nothing to send"
        if letter.source_ms > 1000 * time.time() + FUTURE_LIMIT_MS:
            return "its record's time is in the future: it would be rejected again. Send it with another time"
        if not self._partitions_of(letter.topic):
            return f"topic {letter.topic} does not exist any more"
        return None

    def _partitions_of(self, topic: str) -> int:
        """Return the number of the topic's partitions, 0 if it does not exist. A producer would create it by asking."""
        if topic not in self._partitions:
            self._partitions[topic] = partition_counts(self._admin, [topic]).get(topic, 0)
        return self._partitions[topic]

    def refuse(self, letter: Letter, why: str) -> None:
        self._report.refused[letter.name] = why
        self._say(f"{letter.name}: not sent: {why}")

    def add(self, letter: Letter) -> None:
        self._chunk.append(letter)
        self._bytes += len(letter.key or b"") + len(letter.value or b"")
        if len(self._chunk) >= CHUNK_RECORDS or self._bytes >= CHUNK_BYTES:
            self.settle()

    def settle(self) -> None:
        """Finish the chunk: every letter is acknowledged and marked, or refused."""
        chunk, self._chunk, self._bytes = self._chunk, [], 0
        if self._report.dry_run:
            for letter in chunk:
                self._report.sent += 1
                self._say(f"{letter.name}: would go to {letter.topic}")
            return
        sent = self._deliver((letter, self._send_back) for letter in chunk)
        for letter in self._deliver((letter, self._mark) for letter in sent):
            self._report.sent += 1
            self._say(f"{letter.name}: sent back to {letter.topic}")

    def _deliver(self, jobs: Iterable[tuple[Letter, Callable[[Letter], Any]]]) -> list[Letter]:
        """Return the letters that the broker acknowledged; refuse the others."""
        waiting = []
        for letter, send in jobs:
            try:
                waiting.append((letter, send(letter), send))
            except KafkaError as error:
                self.refuse(letter, _why(error, send == self._mark))
        delivered = []
        for letter, future, send in waiting:
            try:
                future.get(timeout=60)
                delivered.append(letter)
            except KafkaError as error:
                self.refuse(letter, _why(error, send == self._mark))
        return delivered

    def _send_back(self, letter: Letter) -> Any:
        """Send to the partition that the record came from, if that still exists."""
        partition = int(letter.headers["partition"])
        return self._producer.send(
            letter.topic,
            letter.value,
            letter.key,
            partition=partition if partition < self._partitions_of(letter.topic) else None,
            timestamp_ms=letter.source_ms,
        )

    def _mark(self, letter: Letter) -> Any:
        place = ":".join(letter.source[:3]).encode()
        headers = [(name, text.encode()) for name, text in letter.headers.items()]
        return self._producer.send(self._marks, b"", place, headers=[*headers, (REPLAYED, place)])


def _why(error: KafkaError, marking: bool) -> str:
    name = type(error).__name__
    if marking:
        return f"sent back, but its mark was not acknowledged ({name}): a later replay sends it again"
    return f"the broker did not take it ({name})"
