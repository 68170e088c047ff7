"""Put impressions between the events of a log."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from consumers.events.record import Record


def with_impressions(records: Iterable[Record], share: float = 0.6, seed: int = 1) -> list[Record]:
    """Return the log with an impression before a share of its events, which mostly shows the event's item.

    Some come twice, some late, some too late. Offsets are numbered anew, without gaps.
    """
    rng, ends, found = random.Random(seed), Counter[tuple[str, int]](), list[Record]()

    def add(record: Record) -> None:
        place = record.topic, record.partition
        found.append(record._replace(offset=ends[place]))
        ends[place] += 1

    for record in records:
        if (event := _event(record)) is not None and rng.random() < share:
            for shown in _shown(event, record, rng, len(found)):
                add(shown)
        add(record)
    return found


def _event(record: Record) -> dict[str, Any] | None:
    """Return the event in a record; None for other records and for broken ones."""
    try:
        event = json.loads(record.value or b"")
    except ValueError:
        return None
    known = isinstance(event, dict) and isinstance(event.get("user_id"), str)
    return event if known and isinstance(event.get("item_id"), str) else None


def _shown(event: dict[str, Any], record: Record, rng: random.Random, number: int) -> Iterator[Record]:
    first = event["item_id"][:1]
    items = [f"{first}{rng.randrange(40)}" for _ in range(rng.choice([1, 5, 20, 200]))]
    if rng.random() < 0.8:
        items[rng.randrange(len(items))] = event["item_id"]
    late = rng.choice([0, 0, 0, 60_000, 3_600_000])
    value = {
        "type": "impression",
        "user_id": event["user_id"],
        "items": items,
        "timestamp": record.timestamp - 500 - late,
        "event_id": f"shown-{number}",
    }
    for _ in range(2 if rng.random() < 0.1 else 1):
        yield record._replace(value=json.dumps(value).encode())
