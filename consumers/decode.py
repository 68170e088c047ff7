"""Bytes to one `Interaction`, `Item` or `Forget`, or the reason why not. Any bytes give one of these, nothing else."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from consumers.source import Record
from models.interaction import Domain, Interaction, Item, Kind
from serving.pseudonym import LENGTH, Pseudonyms

Reason = Literal[
    "null_value",
    "too_large",
    "not_utf8",
    "malformed_json",
    "wrong_type",
    "missing_field",
    "unknown_type",
    "unknown_domain",
    "bad_id",
    "not_finite",
    "out_of_range",
    "no_timestamp",
    "timestamp_in_seconds",
    "future_timestamp",
    "bad_context",
    "bad_vectors",
    "other_key",
]
"""The closed list of dead-letter reasons; README says what each means."""

ID_LIMIT = 256
CONTEXT_LIMIT = 16
CONTEXT_BUCKETS = 4096
FUTURE_LIMIT_MS = 5 * 60 * 1000
SECONDS_LIMIT = 10**11
LATEST_MS = 10**14
"""The year 5138: for records whose log keeps no time of its own."""
VECTORS_LIMIT, VECTOR_WIDTH_LIMIT = 8, 4096


class Rejection(msgspec.Struct, frozen=True):
    """A record that teaches nothing; it goes to the dead letters with this reason."""

    reason: Reason
    domain: str = ""


class Forget(msgspec.Struct, frozen=True):
    """A request to forget a user: the mark of their id (`serving.pseudonym`), and when it was made (ms)."""

    mark: str
    timestamp: int


Decoded = Interaction | Item | Forget | Rejection
Topics = Mapping[str, tuple[str, Literal["interactions", "items", "forget"]]]
"""Topic name to (domain, kind of its records); no domain for requests to forget."""


class _Interaction(msgspec.Struct):
    type: str
    user_id: str
    item_id: str
    value: msgspec.Raw = msgspec.Raw()
    timestamp: int | None = None
    event_id: str | None = None
    context: dict[str, float | str] | None = None


class _Item(msgspec.Struct):
    item_id: str
    title: str | None = None
    text: str | None = None
    available: bool | None = None
    vectors: dict[str, list[float]] | None = None


class _Forget(msgspec.Struct):
    timestamp: int
    key: str = ""
    """The fingerprint of the key that the mark was made with."""


class _Rejected(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Decoder:
    """Knows the topics' domains and the limits of the contract; keeps no state."""

    def __init__(
        self,
        topics: Topics,
        domains: list[Domain],
        max_record_bytes: int = 524_288,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        self._pseudonyms = pseudonyms or Pseudonyms()
        self._forget = msgspec.json.Decoder(_Forget)
        self._topics = topics
        self._domains = {d.name: d for d in domains}
        self._max_bytes = max_record_bytes
        self._interaction = msgspec.json.Decoder(_Interaction)
        self._item = msgspec.json.Decoder(_Item)
        self._number = msgspec.json.Decoder(float)

    def decode(self, record: Record) -> Decoded:
        """One record; never raises."""
        domain, kind = self._topics.get(record.topic, ("", "interactions"))
        try:
            if record.value is not None and len(record.value) > self._max_bytes:
                raise _Rejected("too_large")
            if kind == "forget":
                return self._decode_forget(record)
            if not domain:
                raise _Rejected("unknown_domain")
            if kind == "items":
                return self._decode_item(domain, record)
            return self._decode_interaction(self._domains[domain], record)
        except _Rejected as rejected:
            return Rejection(rejected.reason, domain)

    def _decode_interaction(self, domain: Domain, record: Record) -> Interaction:
        raw = _parse(self._interaction, record.value)
        kind = _kind(raw.type)
        inside = self._pseudonyms.inside
        return Interaction(
            domain.name,
            kind,
            inside(_id(raw.user_id)),
            _id(raw.item_id),
            _timestamp(raw.timestamp, record.timestamp),
            self._rating(raw.value, domain.rating_range) if kind == "rating" else None,
            None if raw.event_id is None else inside(_id(raw.event_id)),  # it may name the user
            _context(raw.context) if raw.context else (),
        )

    def _rating(self, raw: msgspec.Raw, limits: tuple[float, float]) -> float:
        data = bytes(raw)
        if data in (b"", b"null"):
            raise _Rejected("missing_field")
        try:
            value = self._number.decode(data)
        except msgspec.DecodeError as error:
            raise _Rejected("not_finite" if "out of range" in str(error) else "wrong_type") from None
        if not math.isfinite(value):
            raise _Rejected("not_finite")
        if not limits[0] <= value <= limits[1]:
            raise _Rejected("out_of_range")
        return value

    def _decode_forget(self, record: Record) -> Forget:
        raw = _parse(self._forget, record.value)
        try:
            mark = (record.key or b"").decode()
        except UnicodeDecodeError:
            raise _Rejected("bad_id") from None
        if len(mark) != LENGTH:
            raise _Rejected("bad_id")
        if raw.key != self._pseudonyms.fingerprint:
            raise _Rejected("other_key")
        return Forget(mark, _timestamp(raw.timestamp, record.timestamp))

    def _decode_item(self, domain: str, record: Record) -> Item:
        if record.value is None:
            if record.key is None:
                raise _Rejected("null_value")
            try:
                return Item(domain, _id(record.key.decode()), removed=True, available=False)
            except UnicodeDecodeError:
                raise _Rejected("bad_id") from None
        raw = _parse(self._item, record.value)
        vectors = raw.vectors or {}
        if len(vectors) > VECTORS_LIMIT or any(
            not 0 < len(v) <= VECTOR_WIDTH_LIMIT or not all(map(math.isfinite, v)) for v in vectors.values()
        ):
            raise _Rejected("bad_vectors")
        return Item(
            domain,
            _id(raw.item_id),
            raw.title or "",
            raw.text or "",
            raw.available is not False,
            vectors={name: tuple(v) for name, v in vectors.items()},
        )


def _parse(decoder: msgspec.json.Decoder[Any], value: bytes | None) -> Any:
    if value is None:
        raise _Rejected("null_value")
    try:
        value.decode()  # msgspec does not look into the strings it skips
        return decoder.decode(value)
    except msgspec.ValidationError as error:
        message = str(error)
        if "missing required field" in message:
            raise _Rejected("missing_field") from None
        raise _Rejected("not_finite" if "Number out of range" in message else "wrong_type") from None
    except UnicodeDecodeError:
        raise _Rejected("not_utf8") from None
    except (msgspec.DecodeError, RecursionError):
        raise _Rejected(_why_malformed(value)) from None


def _why_malformed(value: bytes) -> Reason:
    """The slow second look, for records that are lost anyway: NaN and lone surrogates are not JSON to msgspec."""
    try:
        parsed = json.loads(value.decode())
    except (ValueError, RecursionError):
        return "malformed_json"
    if not isinstance(parsed, dict):
        return "wrong_type"
    for key in ("user_id", "item_id", "event_id"):
        if isinstance(parsed.get(key), str) and any("\ud800" <= c <= "\udfff" for c in parsed[key]):
            return "bad_id"
    return "not_finite" if _holds_nonfinite(parsed) else "malformed_json"


def _holds_nonfinite(value: Any) -> bool:
    waiting = [value]  # a list, not the stack: what json.loads just bears may nest too deep for a recursion
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, float) and not math.isfinite(value):
            return True
    return False


def _kind(name: str) -> Kind:
    if name == "click":
        return "click"
    if name == "rating":
        return "rating"
    raise _Rejected("unknown_type")


def _id(text: str) -> str:
    if not 1 <= len(text) <= ID_LIMIT:
        raise _Rejected("bad_id")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Rejected("bad_id") from None
    return text


def _timestamp(own: int | None, of_record: int) -> int:
    time = of_record if own is None else own
    if own is None and of_record < 0:
        raise _Rejected("no_timestamp")
    if time < SECONDS_LIMIT:
        raise _Rejected("timestamp_in_seconds")
    if time > (of_record + FUTURE_LIMIT_MS if of_record >= 0 else LATEST_MS):
        raise _Rejected("future_timestamp")
    return time


def _context(context: dict[str, float | str]) -> tuple[str, ...]:
    """Feature names in a bounded space: at most 16, each one of 4,096 buckets. Numbers keep two digits."""
    if len(context) > CONTEXT_LIMIT:
        raise _Rejected("bad_context")
    names = []
    for key, value in context.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise _Rejected("not_finite")
        text = value if isinstance(value, str) else f"{value:.2g}"
        names.append(f"c{zlib.crc32(f'{key}={text}'.encode('utf-8', 'replace')) % CONTEXT_BUCKETS}")
    return tuple(sorted(set(names)))
