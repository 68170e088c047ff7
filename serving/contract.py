"""Define keys and encodings of everything in Redis: decimal text, float32 little-endian vectors, JSON lists."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

SCHEMA = 1
RECORD_VERSION = 1


class Keys:
    """Key names under one prefix. The braces around a user are a hash tag: all keys of a user share a cluster slot."""

    def __init__(self, prefix: str = "cc") -> None:
        self.prefix = prefix
        self.meta = f"{prefix}:meta"
        self.canary = f"{prefix}:canary"
        self._of_users = (f"{prefix}:user:{{", f"{prefix}:rec:{{")

    def recommendations(self, user: str, domain: str) -> str:
        return f"{self.prefix}:rec:{{{user}}}:{domain}"

    def user(self, user: str) -> str:
        return f"{self.prefix}:user:{{{user}}}"

    def item(self, domain: str, item: str) -> str:
        return f"{self.prefix}:item:{domain}:{item}"

    def domain(self, domain: str) -> str:
        return f"{self.prefix}:domain:{domain}"

    def popular(self, domain: str) -> str:
        return f"{self.prefix}:popular:{domain}"

    def pattern(self, rest: str) -> str:
        """Return the glob pattern of keys under the prefix; `rest` is a pattern itself."""
        return re.sub(r"([\\*?\[\]])", r"\\\1", self.prefix) + f":{rest}"

    def owner(self, key: str) -> str | None:
        """Return the user whose key this is; None for other keys."""
        for head in self._of_users:
            if key.startswith(head):
                end = key.rfind("}")
                return None if end < len(head) else key[len(head) : end]
        return None

    def item_of(self, key: str) -> tuple[str, str] | None:
        """Return the domain and the item whose key this is; None for other keys."""
        head = f"{self.prefix}:item:"
        domain, separator, item = key.removeprefix(head).partition(":")
        return (domain, item) if key.startswith(head) and separator else None


class Write(NamedTuple):
    """One absolute write; repeating it does no harm.

    `value`: bytes to set, fields of a hash, or None for a deletion.
    """

    key: str
    kind: Literal["set", "hash", "delete"]
    value: Any
    ttl_seconds: int | None = None
    record_times_ms: tuple[int, ...] = ()
    """Kafka record times of the events that this write makes readable. Freshness is measured from them."""
    domains: tuple[str, ...] = ()
    """The domain of each of `record_times_ms`."""
    fresh: bool = False
    """Whether the hash replaces a deleted one, so that none of its old fields may stay."""

    def superseding(self, older: Write) -> Write:
        """Return this write with the events of an older, unacknowledged one: it makes them readable too."""
        return self._replace(
            record_times_ms=older.record_times_ms + self.record_times_ms,
            domains=older.domains + self.domains,
            fresh=self.fresh or older.fresh or older.kind == "delete",
        )


class ListedItem(msgspec.Struct, omit_defaults=True):
    """One item of a list."""

    id: str
    """The item's id."""
    score: float
    """Larger is better. Scores of different lists cannot be compared."""
    why: dict[str, float] | None = None
    """What each signal adds to the score, by its name; only the first `publish.explain_top` items carry it."""


class RecommendationList(msgspec.Struct):
    """The value of `cc:rec` and `cc:popular`. Readers ignore fields they do not know."""

    v: int
    """Version of this format: 1."""
    model: int
    """Network steps when the list was made."""
    event_ts: int
    """Newest event time of the domain when the list was made, in ms."""
    published_ts: int
    """When the list was made, Unix time in ms."""
    items: list[ListedItem]
    """Best first; at most `publish.top`."""


FIELDS: dict[str, dict[str, str]] = {
    "user": {
        "vector": "FLOAT32, little-endian bytes",
        "dim": "numbers in the vector",
        "model": "network steps when it was written",
        "published_ts": "when it was written, Unix time in ms",
        "events:<domain>": "events of the user ever learned in that domain; restarts after an eviction",
    },
    "item": {
        "vector": "FLOAT32, little-endian bytes, in the space of the users' vectors",
        "dim": "numbers in the vector",
        "title": "from the latest item event",
        "bias": "how far its ratings lie above the average",
        "popularity": "count of its events; an event counts half after 30 days",
        "model": "network steps when it was written",
    },
    "domain": {
        "role": "source, target or both",
        "model": "network steps when it was written",
        "published_ts": "when it was written, Unix time in ms",
        "strategy": "how much is carried into this target",
        "mean": "running mean rating; before the first one the middle of rating_range",
        "bias:<term>": "a term of the bias correction",
        "adaptation_rate": "pull of this target's biases to the sources'",
        "divergence:<source>": "distance of item vector moments to that source",
        "weight:<source>": "that source's share in this target's biases",
        "error:<metric>:<arm>": "fading error, predicted before learning",
        "gain:<metric>": "error of the target-only arm minus error of the full one",
    },
    "meta": {
        "schema": "version of this contract: 1",
        "dim": "numbers in every vector",
        "model": "network steps when it was written",
        "started_ts": "when the process started, or noticed that the store lost writes; Unix time in ms",
        "published_ts": "when it was written, Unix time in ms",
        "written": "grows with every chunk of writes: a smaller number than before tells of lost writes",
    },
    "canary": {
        "number": "counts the service's own records that came through",
        "sent_ts": "when that record was sent, Unix time in ms",
    },
}
"""What each field of a hash holds, by the kind of its key."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(RecommendationList)


def encode_list(record: RecommendationList) -> bytes:
    """Return the list as JSON."""
    return _encoder.encode(record)


def decode_list(data: bytes) -> RecommendationList:
    """Return the list in `data`. Raises msgspec.DecodeError on anything else."""
    return _decoder.decode(data)


def encode_vector(vector: NDArray[np.float32]) -> bytes:
    """Return FLOAT32 little-endian bytes, as FT.CREATE … TYPE FLOAT32 expects them."""
    return vector.astype("<f4", copy=False).tobytes()


def number(value: float) -> str:
    """Return decimal text that reads back to the same float; whole numbers have no point."""
    text = repr(float(value))
    return str(int(value)) if text.endswith(".0") and abs(value) < 2**53 else text


def hash_write(key: str, fields: Mapping[str, Any], ttl_seconds: int | None = None) -> Write:
    """Return the write of a hash. Numbers become decimal text; bytes and text stay."""
    encoded = {
        name: value if isinstance(value, str | bytes) else number(value) for name, value in fields.items()
    }
    return Write(key, "hash", encoded, ttl_seconds)


def list_write(key: str, record: RecommendationList, ttl_seconds: int | None) -> Write:
    """Return the write of a whole list; an empty one deletes the key."""
    if not record.items:
        return Write(key, "delete", None)
    return Write(key, "set", encode_list(record), ttl_seconds)


class Listable(Protocol):
    """Make one item of a list."""

    @property
    def item_id(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def why(self) -> dict[str, float]: ...


def to_listed_items(items: Sequence[Listable], explain_top: int) -> list[ListedItem]:
    """Return the items of a list; the first `explain_top` keep their `why`."""
    explained = [ListedItem(item.item_id, item.score, item.why) for item in items[:explain_top]]
    return explained + [ListedItem(item.item_id, item.score) for item in items[explain_top:]]
