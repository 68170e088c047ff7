"""Define what the learners see: interactions, items and domains, validated, and independent of the transport."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["click", "rating", "skip"]
Role = Literal["source", "target", "both"]


class Interaction(msgspec.Struct, frozen=True, gc=False):
    """One click, rating or skip. `value` is set for ratings only; `timestamp` is ms since the epoch."""

    domain: str
    kind: Kind
    user: str
    item: str
    timestamp: int
    value: float | None = None
    event_id: str | None = None
    context: tuple[str, ...] = ()
    """Bounded feature names, hashed from the event's context (at most 16)."""
    own_type: str = ""
    """The producer's own type, if it is one of `[events]`."""
    impression: str | None = None
    """The event_id of the impression that the event answers, if the producer says so."""


class Impression(msgspec.Struct, frozen=True, gc=False):
    """Items that a user was shown together, the first at the top. Times are ms since the epoch."""

    domain: str
    user: str
    items: tuple[str, ...]
    timestamp: int
    list_ts: int | None = None
    """When the list was published that they came from, if the producer says so."""
    event_id: str | None = None


class Item(msgspec.Struct, frozen=True):
    """The latest state of a catalogue item; `removed` stands for a tombstone."""

    domain: str
    item_id: str
    title: str = ""
    text: str = ""
    available: bool = True
    removed: bool = False
    vectors: dict[str, tuple[float, ...]] = {}
    tags: tuple[str, ...] = ()
    """They are published for readers to filter by. A tag holds no comma."""

    def words(self) -> str:
        """Return the text to encode: the title, then the text, unless the text begins with the title."""
        if not self.text or self.text.startswith(self.title):
            return self.text or self.title
        return f"{self.title}. {self.text}" if self.title else self.text


class Domain(msgspec.Struct, frozen=True):
    """The part of a domain's config that the learners need."""

    name: str
    role: Role = "source"
    rating_range: tuple[float, float] = (1.0, 5.0)
    recommend: bool = True
    catalogue: Literal["open", "required"] = "open"
    allow: frozenset[str] = frozenset()
    """If not empty, only these item ids are recommended."""
    deny: frozenset[str] = frozenset()
    """These item ids are never recommended."""

    def permits(self, item_id: str) -> bool:
        """Return whether the allow and deny lists let the item be recommended."""
        return item_id not in self.deny and (not self.allow or item_id in self.allow)

    @property
    def is_target(self) -> bool:
        """Whether sources help this domain."""
        return self.role in ("target", "both")

    @property
    def is_source(self) -> bool:
        """Whether this domain helps targets."""
        return self.role in ("source", "both")
