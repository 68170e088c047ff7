"""Decode bytes into one `Interaction`, `Item` or `Forget`, or into the reason for a rejection."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import msgspec

from consumers.events.record import Record
from consumers.events.rejection import (
    CONTEXT_LIMIT,
    ID_LIMIT,
    VECTOR_WIDTH_LIMIT,
    VECTORS_LIMIT,
    Rejected,
    Rejection,
    found,
    json_type,
    of_validation,
    when,
    word,
)
from consumers.events.second_look import entries, needed
from models.schema import Domain, Interaction, Item, Kind
from serving.pseudonyms import LENGTH, Pseudonyms

CONTEXT_BUCKETS = 4096
FUTURE_LIMIT_MS = 5 * 60 * 1000
SECONDS_LIMIT = 10**11


class Forget(msgspec.Struct, frozen=True):
    """A request to forget a user: the mark of their id (`serving.pseudonyms`), and its time (ms)."""

    mark: str
    timestamp: int


Decoded = Interaction | Item | Forget | Rejection
Topics = Mapping[str, tuple[str, Literal["interactions", "items", "forget"]]]
"""Maps a topic to (domain, kind of its records). Requests to forget have no domain."""


class _Interaction(msgspec.Struct):
    type: str
    """A click, or a rating with a value."""
    user_id: str
    """Who. Also the record's key, as it is: that keeps a user's events in order."""
    item_id: str
    """What."""
    value: msgspec.Raw = msgspec.Raw()
    """The rating, within the domain's rating_range. Needed for a rating, ignored for a click."""
    timestamp: int | float | None = None
    """When it happened; without it the record's own time counts."""
    event_id: str | None = None
    """Tells a repeated record: the same id among the latest `intake.dedup_events` is counted and skipped."""
    context: dict[str, float | str] | None = None
    """Circumstances, such as {"device": "tv"}. They are hashed into a bounded space."""


class _Item(msgspec.Struct):
    item_id: str
    """What. Also the record's key, as it is; with a null value the key alone names the item that is removed."""
    title: str | None = None
    """Its name. May be missing or empty."""
    text: str | None = None
    """What describes it; title and text are encoded together."""
    available: bool | None = None
    """false: it is not recommended for now. Missing or null: it is available."""
    vectors: dict[str, list[float]] | None = None
    """Embeddings made elsewhere, by name, such as {"cover": [0.1, 0.2]}."""


class _Forget(msgspec.Struct):
    timestamp: int | float
    """When the request was made; the user's events up to then are dropped."""
    key: str = ""
    """The fingerprint of the key with which the mark was made."""


class Decoder:
    """Knows the domains of topics and the limits of the contract; it keeps no state.

    clock: seconds since the epoch. No event may be more than 5 minutes ahead of it.
    """

    def __init__(
        self,
        topics: Topics,
        domains: list[Domain],
        max_record_bytes: int = 524_288,
        pseudonyms: Pseudonyms | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._pseudonyms = pseudonyms or Pseudonyms()
        self._forget = msgspec.json.Decoder(_Forget)
        self._topics = topics
        self._domains = {d.name: d for d in domains}
        self._max_bytes = max_record_bytes
        self._interaction = msgspec.json.Decoder(_Interaction)
        self._item = msgspec.json.Decoder(_Item)
        self._number = msgspec.json.Decoder(float)

    def decode(self, record: Record) -> Decoded:
        """Decode one record; never raises."""
        domain, kind = self._topics.get(record.topic, ("", "interactions"))
        try:
            if record.value is not None and len(record.value) > self._max_bytes:
                allowed = f"{self._max_bytes:,} (intake.max_record_bytes)"
                raise Rejected("too_large", found("the value", f"{len(record.value):,} bytes", allowed))
            if kind == "forget":
                return self._decode_forget(record)
            if not domain:
                raise Rejected("unknown_domain", "topic: it belongs to no domain of the config")
            if kind == "items":
                return self._decode_item(domain, record)
            return self._decode_interaction(self._domains[domain], record)
        except Rejected as rejected:
            return Rejection(rejected.reason, domain, rejected.detail)

    def _decode_interaction(self, domain: Domain, record: Record) -> Interaction:
        raw = _parse(self._interaction, record.value)
        kind = _kind(raw.type)
        inside = self._pseudonyms.inside
        return Interaction(
            domain.name,
            kind,
            inside(_id("user_id", raw.user_id)),
            _id("item_id", raw.item_id),
            self._timestamp(raw.timestamp, record.timestamp),
            self._rating(raw.value, domain.rating_range) if kind == "rating" else None,
            None
            if raw.event_id is None
            else inside(_id("event_id", raw.event_id)),  # the event_id may name the user
            _context(raw.context) if raw.context else (),
        )

    def _rating(self, raw: msgspec.Raw, limits: tuple[float, float]) -> float:
        data = bytes(raw)
        if data in (b"", b"null"):
            raise Rejected("missing_field", f"value: missing, allowed: {_within(limits)}")
        try:
            value = self._number.decode(data)
        except msgspec.DecodeError as error:
            if "out of range" in str(error):
                raise Rejected("not_finite", found("value", "inf", _within(limits))) from None
            raise Rejected("wrong_type", found("value", json_type(str(error)), _within(limits))) from None
        if not limits[0] <= value <= limits[1]:
            raise Rejected("out_of_range", found("value", f"{value:g}", _within(limits)))
        return value

    def _timestamp(self, own: int | float | None, of_record: int) -> int:
        """Return the event's time in ms: its own, else the record's."""
        if isinstance(own, float) and not own.is_integer():
            raise Rejected("wrong_type", found("timestamp", f"{own}"))
        name, ms = ("the record's time", of_record) if own is None else ("timestamp", int(own))
        if own is None and of_record < 0:
            raise Rejected("no_timestamp", "timestamp: missing, and the record has no time either")
        if ms < SECONDS_LIMIT:
            raise Rejected("timestamp_in_seconds", found(name, str(ms), f"ms since the epoch, from {10**11}"))
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
        raw = _parse(self._forget, record.value)
        try:
            mark = (record.key or b"").decode()
        except UnicodeDecodeError:
            mark = ""
        if len(mark) != LENGTH:
            raise Rejected(
                "bad_id", found("the record's key", "something else", f"a hash of {LENGTH} characters")
            )
        if raw.key != self._pseudonyms.fingerprint:
            raise Rejected("other_key", "key: of another privacy.key than this service's")
        return Forget(mark, self._timestamp(raw.timestamp, record.timestamp))

    def _decode_item(self, domain: str, record: Record) -> Item:
        if record.value is None:
            if record.key is None:
                raise Rejected("null_value", "the record: it has neither key nor value")
            try:
                removed = record.key.decode()
            except UnicodeDecodeError:
                raise Rejected(
                    "bad_id", found("the record's key", "bytes that are not UTF-8", _KEY)
                ) from None
            return Item(domain, _id("the record's key", removed), removed=True, available=False)
        raw = _parse(self._item, record.value)
        vectors = raw.vectors or {}
        _check_vectors(vectors)
        return Item(
            domain,
            _id("item_id", raw.item_id),
            raw.title or "",
            raw.text or "",
            raw.available is not False,
            vectors={name: tuple(v) for name, v in vectors.items()},
        )


def _parse(decoder: msgspec.json.Decoder[Any], value: bytes | None) -> Any:
    if value is None:
        raise Rejected("null_value", "the record: it has no value")
    try:
        value.decode()  # msgspec does not check the strings that it skips
        return decoder.decode(value)
    except UnicodeDecodeError as error:
        raise Rejected("not_utf8", f"byte {error.start}: not UTF-8") from None
    except (msgspec.DecodeError, RecursionError) as error:
        return _parse_again(decoder, value, error)


def _parse_again(decoder: msgspec.json.Decoder[Any], value: bytes, error: Exception) -> Any:
    """Decode a record that the fast way refuses."""
    try:
        if isinstance(error, msgspec.ValidationError) and "out of range" not in str(error):
            raise error
        return decoder.decode(needed(value, decoder.type.__struct_fields__, error))
    except msgspec.ValidationError as wrong:
        raise of_validation(str(wrong), partial(entries, value)) from None
    except (msgspec.DecodeError, RecursionError) as malformed:
        raise Rejected("malformed_json", str(malformed)) from None


def _kind(name: str) -> Kind:
    if name == "click":
        return "click"
    if name == "rating":
        return "rating"
    raise Rejected("unknown_type", found("type", word(name)))


_AHEAD = "at most 5 minutes after"


def _within(limits: tuple[float, float]) -> str:
    return f"a number from {limits[0]:g} to {limits[1]:g}"


_KEY = f"1 to {ID_LIMIT} characters"


def _id(field: str, text: str) -> str:
    if not 1 <= len(text) <= ID_LIMIT:
        raise Rejected("bad_id", found(field, f"{len(text):,} characters", _KEY))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Rejected("bad_id", found(field, "a lone surrogate", _KEY)) from None
    return text


def _context(context: dict[str, float | str]) -> tuple[str, ...]:
    """Return feature names in a bounded space: at most 16, each one of 4,096 buckets. Numbers keep two digits."""
    if len(context) > CONTEXT_LIMIT:
        raise Rejected("bad_context", found("context", f"{len(context):,} entries"))
    names = []
    for key, value in context.items():
        text = value if isinstance(value, str) else f"{value:.2g}"
        names.append(f"c{zlib.crc32(f'{key}={text}'.encode('utf-8', 'replace')) % CONTEXT_BUCKETS}")
    return tuple(sorted(set(names)))


def _check_vectors(vectors: dict[str, list[float]]) -> None:
    if len(vectors) > VECTORS_LIMIT:
        raise Rejected("bad_vectors", found("vectors", f"{len(vectors):,} arrays"))
    for name, vector in vectors.items():
        if not 0 < len(vector) <= VECTOR_WIDTH_LIMIT:
            raise Rejected("bad_vectors", found("vectors", f"{len(vector):,} numbers in {word(name)}"))
