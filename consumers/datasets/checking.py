"""Decide what `run` would make of a record: an event or item, or a dead letter with its reason."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import msgspec

from consumers.config.schema import DomainConfig, Settings
from consumers.datasets.record import Sent
from consumers.events.decode import Decoder
from consumers.events.record import Record
from consumers.events.rejection import Reason, Rejection
from consumers.events.rules import Rules
from models.schema import Domain, Interaction, Item
from serving.client.pseudonyms import Pseudonyms


class Refused(NamedTuple):
    """The reason why a record would be a dead letter. `why` says what to do."""

    reason: Reason
    why: str


Range = tuple[float, float]
ANY: Range = (-math.inf, math.inf)


class Check:
    """Decodes records as `run` does, with the config's limits.

    `rating_range` narrows the config's; a domain that the config lacks has none. `ranged`: whether ratings outside the
    range are refused. Rows without a time get the time `now` (ms; None: the present), in their order.
    """

    def __init__(
        self,
        settings: Settings,
        rating_range: Range | None = None,
        ranged: bool = True,
        pseudonyms: Pseudonyms | None = None,
        now: int | None = None,
    ) -> None:
        self.limit = settings.intake.max_record_bytes
        self._configured = settings.domains if ranged else {}
        self._range = rating_range
        self._pseudonyms = pseudonyms
        self._now = int(time.time() * 1000) if now is None else now
        self._decoders: dict[str, Decoder] = {}

    def range_of(self, domain: str) -> Range:
        """Return the ratings that are allowed in a domain."""
        config: DomainConfig | None = self._configured.get(domain)
        return self._range or (config.rating_range if config is not None else ANY)

    def __call__(self, sent: Sent) -> Interaction | Item | Refused:
        """Return the event or item, or what is wrong and what to do."""
        decoder = self._decoders.get(sent.domain)
        if decoder is None:
            topics = {kind: (sent.domain, kind) for kind in ("interactions", "items")}
            domains = [Domain(sent.domain, rating_range=self.range_of(sent.domain))]
            decoder = Decoder(topics, domains, Rules(self.limit), self._pseudonyms)  # type: ignore[arg-type]
            self._decoders[sent.domain] = decoder
        arrived = -1  # the event's own time is checked in any case
        if sent.timestamp is None:
            self._now += 1
            arrived = self._now
        found = decoder.decode(Record(sent.kind, 0, 0, arrived, sent.key, sent.value))
        if isinstance(found, Interaction | Item):
            return found
        assert isinstance(found, Rejection)
        return Refused(found.reason, self._why(found, sent))

    def _why(self, found: Rejection, sent: Sent) -> str:
        if found.reason == "too_large":
            size = len(sent.value or b"")
            return f"the record has {size:,} bytes, more than intake.max_record_bytes ({self.limit:,}): shorten the row"
        if found.reason == "out_of_range":
            low, high = self.range_of(sent.domain)
            where = "--rating-range" if self._range else f"rating_range of domain {sent.domain}"
            return f"rating {rating_of(sent):g} is outside {where} ({low:g} to {high:g})"
        return found.detail or found.reason


def rating_of(sent: Sent) -> float:
    return float(msgspec.json.decode(sent.value or b"")["value"])
