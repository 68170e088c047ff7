"""Decode bytes into one `Interaction`, `Impression`, `Item` or `Forget`, or into the reason for a rejection."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import msgspec

from consumers.events.attributes import check_vectors, each_tag_once, hashed_context
from consumers.events.fields import (
    ForgetFields,
    Id,
    ImpressionFields,
    InteractionFields,
    ItemFields,
    NumberedImpressionFields,
    NumberedInteractionFields,
    NumberedItemFields,
)
from consumers.events.parse import KEY, Read, RowDeleted, json_reader, key_is_gone, no_value
from consumers.events.record import Record
from consumers.events.rejection import (
    ALLOWED_NUMBERED,
    ID_LIMIT,
    ITEMS_LIMIT,
    Rejected,
    Rejection,
    found,
    when,
    word,
)
from consumers.events.rules import IMPRESSION, Rules
from consumers.events.second_look import is_exact, json_name
from models.schema import Domain, Impression, Interaction, Item, Kind
from serving.client.pseudonyms import LENGTH, Pseudonyms

DEFAULT_RULES = Rules()
FUTURE_LIMIT_MS = 5 * 60 * 1000
SECONDS_LIMIT = 10**11


class Forget(msgspec.Struct, frozen=True):
    """A request to forget a user: the mark of their id (`serving.client.pseudonyms`), and its time (ms)."""

    mark: str
    timestamp: int
    deleted: bool = False
    """The record tells only that somebody deleted a request of this user from the topic."""


class Skipped(msgspec.Struct, frozen=True):
    """A record that says that a row of interactions was deleted. What was learned from the row stays."""

    domain: str


Decoded = Interaction | Impression | Item | Forget | Skipped | Rejection
Topics = Mapping[str, tuple[str, Literal["interactions", "items", "forget", "reroute"]]]
"""Maps a topic to (domain, kind of its records). Requests to forget, and rerouted records, have no domain."""


class Decoder:
    """Decodes the records of every topic, within the limits of the contract. It keeps no state.

    clock: seconds since the epoch. No event may be more than 5 minutes ahead of it. readers: of the topics that are
    not JSON as the contract defines it (`consumers.formats`).
    """

    def __init__(
        self,
        topics: Topics,
        domains: list[Domain],
        rules: Rules = DEFAULT_RULES,
        pseudonyms: Pseudonyms | None = None,
        clock: Callable[[], float] = time.time,
        readers: Mapping[str, Read] | None = None,
    ) -> None:
        self._clock = clock
        self._pseudonyms = pseudonyms or Pseudonyms()
        self._forget = json_reader(ForgetFields, lambda _record: None)
        self._rules = rules
        self._domain_of = {topic: domain for topic, (domain, _) in topics.items()}
        self._ways = self._ways_of(topics, {d.name: d for d in domains}, readers or {})

    def _ways_of(
        self, topics: Topics, domains: Mapping[str, Domain], readers: Mapping[str, Read]
    ) -> dict[str, Callable[[Record], Decoded]]:
        """Return what decodes the records of each topic."""
        ways: dict[str, Callable[[Record], Decoded]] = {}
        numbered = self._rules.any_ids
        shown = {IMPRESSION: NumberedImpressionFields if numbered else ImpressionFields}
        interaction = json_reader(
            NumberedInteractionFields if numbered else InteractionFields, no_value, shown
        )
        item = json_reader(NumberedItemFields if numbered else ItemFields, key_is_gone)
        for topic, (domain, kind) in topics.items():
            if kind == "forget":
                ways[topic] = self._decode_forget
            elif kind == "items":
                ways[topic] = partial(self._decode_item, domain, readers.get(topic, item))
            elif kind == "interactions":
                ways[topic] = partial(
                    self._decode_interaction, domains[domain], readers.get(topic, interaction)
                )
        return ways

    def decode(self, record: Record) -> Decoded:
        """Decode one record. Raises only the error of a reader that must be asked again later."""
        way = self._ways.get(record.topic)
        try:
            most = self._rules.max_record_bytes
            if record.value is not None and len(record.value) > most:
                allowed = f"{most:,} (intake.max_record_bytes)"
                raise Rejected("too_large", found("the value", f"{len(record.value):,} bytes", allowed))
            if way is None:
                raise Rejected("unknown_domain", "topic: it belongs to no domain of the config")
            return way(record)
        except Rejected as rejected:
            return Rejection(rejected.reason, self._domain_of.get(record.topic, ""), rejected.detail)
        except RowDeleted:
            return Skipped(self._domain_of[record.topic])

    def _decode_interaction(self, domain: Domain, read: Read, record: Record) -> Interaction | Impression:
        raw: InteractionFields | ImpressionFields = read(record)
        if isinstance(raw, ImpressionFields):
            return self._impression(domain, raw, record)
        kind = self._kind(raw.type)
        return Interaction(
            domain.name,
            kind,
            self._pseudonyms.inside(_id("user_id", raw.user_id)),
            _id("item_id", raw.item_id),
            self._timestamp(raw.timestamp, record.timestamp),
            self._rating(raw.value, domain.rating_range) if kind == "rating" else None,
            self._event_id("event_id", raw.event_id),
            hashed_context(raw.context) if raw.context else (),
            raw.type if raw.type in self._rules.types else "",
            self._event_id("impression", raw.impression),
        )

    def _impression(self, domain: Domain, raw: ImpressionFields, record: Record) -> Impression:
        if not 1 <= len(raw.items) <= ITEMS_LIMIT:
            raise Rejected("bad_items", found("items", f"{len(raw.items):,} items"))
        timestamp = self._timestamp(raw.timestamp, record.timestamp)
        return Impression(
            domain.name,
            self._pseudonyms.inside(_id("user_id", raw.user_id)),
            tuple(_id("items", item) for item in raw.items),
            timestamp,
            None if raw.list_ts is None else _list_time(raw.list_ts, timestamp),
            self._event_id("event_id", raw.event_id),
        )

    def _event_id(self, field: str, given: Id | None) -> str | None:
        """Return an id of an event as it is kept: it may name the user."""
        return None if given is None else self._pseudonyms.inside(_id(field, given))

    def _kind(self, name: str) -> Kind:
        if name == "click":
            return "click"
        if name == "rating":
            return "rating"
        if (own := self._rules.types.get(name)) is not None:
            return own.as_
        raise Rejected("unknown_type", found("type", word(name), self._rules.allowed_types()))

    def _rating(self, value: Any, limits: tuple[float, float]) -> float:
        kind = type(value)
        if value is None:
            raise Rejected("missing_field", f"value: missing, allowed: {_within(limits)}")
        if kind is not float and kind is not int:
            raise Rejected("wrong_type", found("value", json_name(value), _within(limits)))
        try:
            number = float(value)
        except OverflowError:
            raise Rejected("not_finite", found("value", "inf", _within(limits))) from None
        if not limits[0] <= number <= limits[1]:
            raise Rejected("out_of_range", found("value", f"{number:g}", _within(limits)))
        return number

    def _timestamp(self, own: int | float | None, of_record: int) -> int:
        """Return the event's time in ms: its own, or else the record's."""
        if own is None and of_record < 0:
            raise Rejected("no_timestamp", "timestamp: missing, and the record has no time either")
        name = "the record's time" if own is None else "timestamp"
        ms = _ms(name, of_record if own is None else own)
        if ms > of_record + FUTURE_LIMIT_MS and of_record >= 0:
            raise Rejected(
                "future_timestamp", found(name, when(ms), f"{_AHEAD} the record's {when(of_record)}")
            )
        latest = 1000 * self._clock() + FUTURE_LIMIT_MS
        if ms > latest:
            raise Rejected("future_timestamp", found(name, when(ms), f"{_AHEAD} the clock of the service"))
        if of_record > latest:
            what = found("the record's time", when(of_record), f"{_AHEAD} the clock of the service")
            raise Rejected("future_timestamp", what)
        return ms

    def _decode_forget(self, record: Record) -> Forget:
        raw: ForgetFields | None = self._forget(record)
        try:
            mark = (record.key or b"").decode()
        except UnicodeDecodeError:
            mark = ""
        if len(mark) != LENGTH:
            raise Rejected(
                "bad_id", found("the record's key", "something else", f"a hash of {LENGTH} characters")
            )
        if raw is None:
            return Forget(mark, self._timestamp(None, record.timestamp), deleted=True)
        if raw.key != self._pseudonyms.fingerprint:
            raise Rejected("other_key", "key: made with another privacy.key than this service's")
        return Forget(mark, self._timestamp(raw.timestamp, record.timestamp))

    def _decode_item(self, domain: str, read: Read, record: Record) -> Item:
        try:
            raw: ItemFields = read(record)
        except RowDeleted as row:
            return Item(domain, _id("the record's key", row.item_id), removed=True, available=False)
        vectors = raw.vectors or {}
        check_vectors(vectors)
        return Item(
            domain,
            _id("item_id", raw.item_id),
            raw.title or "",
            raw.text or "",
            raw.available is not False,
            tags=each_tag_once(raw.tags) if raw.tags else (),
            vectors={name: tuple(v) for name, v in vectors.items()},
        )


_AHEAD = "at most 5 minutes after"


def _list_time(own: int | float, shown: int) -> int:
    """Return when the list was published. shown: when the user saw it (ms); clocks may differ."""
    ms = _ms("list_ts", own)
    if ms > shown + FUTURE_LIMIT_MS:
        raise Rejected("future_timestamp", found("list_ts", when(ms), f"{_AHEAD} the timestamp"))
    return ms


def _ms(name: str, own: int | float) -> int:
    """Return a time in ms. Raises Rejected."""
    if isinstance(own, float) and not own.is_integer():
        raise Rejected("wrong_type", found(name, f"{own}"))
    if own < SECONDS_LIMIT:
        told = f"ms since the epoch, from {10**11}"
        raise Rejected("timestamp_in_seconds", found(name, str(int(own)), told))
    return int(own)


def _within(limits: tuple[float, float]) -> str:
    if limits == (-math.inf, math.inf):
        return "a number"
    return f"a number from {limits[0]:g} to {limits[1]:g}"


def _id(field: str, found_id: Id) -> str:
    """Return the id as text: a whole number in decimal."""
    text = found_id if isinstance(found_id, str) else _decimal(field, found_id)
    if not 1 <= len(text) <= ID_LIMIT:
        raise Rejected("bad_id", found(field, f"{len(text):,} characters", KEY))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Rejected("bad_id", found(field, "a lone surrogate", KEY)) from None
    return text


def _decimal(field: str, number: int | float) -> str:
    if isinstance(number, float) and not is_exact(number):
        what = "a number with a fraction, or of more than 15 digits"
        raise Rejected("wrong_type", found(field, what, ALLOWED_NUMBERED[field]))
    try:
        return str(int(number))
    except ValueError:  # Python writes no number of more than 4,300 digits
        raise Rejected("bad_id", found(field, "a number of thousands of digits", KEY)) from None
