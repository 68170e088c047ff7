"""Make the events that are learned: generated ones shaped like MovieLens, or those of a set in a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from consumers.config.schema import Settings
from consumers.datasets.record import Sent
from consumers.evaluation.dataset import EvaluatedFiles, scan_evaluated
from consumers.simulator.event_stream import Simulator
from consumers.simulator.world_settings import DomainSpec, WorldSettings
from models.schema import Domain, Interaction, Item, Kind

INTERACTIONS, ITEMS = "interactions.csv.gz", "items.csv.gz"
VISIT = 16_384
"""Length of the window in which the events of one user are brought close together, in events."""
AT_ONCE = 16
"""About how many users are active at the same time."""
SPACING_MS = 500
"""Milliseconds between two generated events."""


class Stream(NamedTuple):
    """Events in time order. The domain with fewest events is the target; lists are made for all domains."""

    events: list[Interaction]
    items: list[Item]
    domains: list[Domain]


class _Event(msgspec.Struct):
    type: str
    user_id: str
    item_id: str
    timestamp: int
    value: float | None = None


def load(folder: str, events: int) -> Stream:
    """Return the first `events` events of the set in `folder`, or of generated ones without a folder. Raises Stop."""
    return of_folder(Path(folder), events) if folder else generated(events)


def world(
    events: int, users: int = 2_000, items: int = 10_000, start_ms: int | None = 1_704_067_200_000
) -> WorldSettings:
    """Return a world of three domains with ratings and clicks. Items and users follow a power law.

    items: those of all domains together. start_ms: None for the present time at each event.
    """
    domains = (("movies", 0.40, 3.6, 0.5), ("books", 0.35, 3.9, 0.3), ("games", 0.25, 3.0, 0.2))
    return WorldSettings(
        domains=tuple(
            DomainSpec(name, users, round(part * items), mean, share, "both", click_share=0.3)
            for name, part, mean, share in domains
        ),
        events=events,
        zipf=1.0,
        activity=0.8,
        start_ms=start_ms,
    )


def generated(events: int, users: int = 2_000) -> Stream:
    """Return generated events that come in bursts, as in MovieLens: a user rates many items in one visit."""
    simulator = Simulator(world(max(events, VISIT), users))
    found = list(_in_visits(list(map(interaction, simulator.events()))))[:events]
    catalogue = [item(record) for record in simulator.items()]
    return Stream(found, catalogue, roles([spec.name for spec in simulator.settings.domains], found))


def _in_visits(events: list[Interaction]) -> Iterator[Interaction]:
    """Reorder events so that a user's come together, mixed with those of a few others. Times follow the order."""
    random, at = np.random.default_rng(0), events[0].timestamp
    for start in range(0, len(events), VISIT):
        some = events[start : start + VISIT]
        users = {user: n for n, user in enumerate(dict.fromkeys(event.user for event in some))}
        turns = random.random(len(users))[[users[event.user] for event in some]]
        order = np.argsort(turns + random.random(len(some)) * AT_ONCE / len(users))
        for n in order.tolist():
            at += SPACING_MS
            yield msgspec.structs.replace(some[n], timestamp=at)


def of_folder(folder: Path, events: int) -> Stream:
    """Return the first events of the set in a folder. Raises Stop if it cannot be read."""
    files = EvaluatedFiles(folder / INTERACTIONS, folder / ITEMS, folder.name)
    (scanned, listed), _ = scan_evaluated(files, Settings())
    names = sorted({**listed.domains, **scanned.domains})
    values = [event.value for event in scanned.events if event.value is not None] or [1.0, 5.0]
    domains = roles(names, scanned.events, (min(values), max(values)))
    return Stream(sorted(scanned.events, key=lambda event: event.timestamp)[:events], listed.items, domains)


def roles(
    names: list[str], events: Iterable[Interaction], limits: tuple[float, float] = (1.0, 5.0)
) -> list[Domain]:
    """Return the domains. The one with fewest events is the target; the others are its sources."""
    counts = Counter(dict.fromkeys(names, 0))
    counts.update(event.domain for event in events)
    target = min(names, key=lambda name: counts[name])
    return [Domain(name, "target" if name == target else "source", limits) for name in names]


def interaction(record: Sent) -> Interaction:
    """Return the event that a generated record holds."""
    assert record.value is not None
    raw = msgspec.json.decode(record.value, type=_Event)
    kind: Kind = "click" if raw.value is None else "rating"
    return Interaction(record.domain, kind, raw.user_id, raw.item_id, raw.timestamp, raw.value)


def item(record: Sent) -> Item:
    """Return the item that a generated record holds."""
    assert record.value is not None
    raw = msgspec.json.decode(record.value)
    return Item(record.domain, raw["item_id"], raw["title"], raw["text"])


def records(stream: Stream) -> Iterator[Sent]:
    """Yield the contract records of a stream: its items, then its events."""
    for one in stream.items:
        value = {"item_id": one.item_id, "title": one.title, "text": one.text}
        yield Sent("items", one.domain, one.item_id.encode(), msgspec.json.encode(value))
    for event in stream.events:
        raw = {"type": event.kind, "user_id": event.user, "item_id": event.item, "timestamp": event.timestamp}
        if event.value is not None:
            raw["value"] = event.value
        yield Sent("interactions", event.domain, event.user.encode(), msgspec.json.encode(raw))
