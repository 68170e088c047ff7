"""Prepare what is evaluated: events in time order, items, and the domains as `run` would see them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumers.config.schema import DomainConfig, Settings
from consumers.datasets.checking import Check
from consumers.datasets.history import ByteProgress, Files, once_in_time_order, scan_files
from consumers.datasets.options import ReadOptions
from consumers.datasets.scan import Scan
from consumers.errors import Stop
from models.schema import Domain, Interaction, Item
from models.transfer.strategies import STRATEGIES


class Data(NamedTuple):
    """`events` in time order, each event_id once. `rating_range`: the range to which every arm clips."""

    events: list[Interaction]
    items: list[Item]
    domains: list[Domain]
    target: str
    rating_range: tuple[float, float]
    grid: NDArray[np.float64]
    """The distinct ratings of the target, ascending; empty without ratings."""
    bad_rows: int
    repeated: int
    """Events left out because their event_id came before."""

    @property
    def has_ratings(self) -> bool:
        return len(self.grid) > 0

    @property
    def has_text(self) -> bool:
        """Return whether an item of the target has words."""
        return any(item.domain == self.target and item.words().strip() for item in self.items)

    @property
    def sources(self) -> list[str]:
        """Return the other domains that have events and help the target."""
        there = dict.fromkeys(event.domain for event in self.events)
        return [d.name for d in self.domains if d.is_source and d.name != self.target and d.name in there]

    @property
    def without_part(self) -> list[Domain]:
        """Return the domains with events whose role keeps them from giving to the target, or the target from taking."""
        there = dict.fromkeys(event.domain for event in self.events)
        return [
            d
            for d in self.domains
            if d.name in there and not (d.is_target if d.name == self.target else d.is_source)
        ]

    def users(self) -> tuple[int, int]:
        """Return how many users the target has, and how many of them have events in a source too."""
        sources = dict.fromkeys(self.sources)
        mine = {e.user for e in self.events if e.domain == self.target}
        return len(mine), len(mine & {e.user for e in self.events if e.domain in sources})

    def unlisted(self) -> int:
        """Count the target's events whose item is not in the item file."""
        listed = {i.item_id for i in self.items if i.domain == self.target}
        return sum(e.domain == self.target and e.item not in listed for e in self.events)


class EvaluatedFiles(msgspec.Struct, frozen=True):
    """The files of an evaluation and how they are read."""

    interactions: Path
    items: Path | None
    """None: the items are those of the events, without text."""
    target: str
    """The domain that is measured, and the domain of rows without one."""
    reading: ReadOptions = ReadOptions()
    now: int = 0
    """The time of rows that have none, ms since the epoch."""


def scan_evaluated(
    files: EvaluatedFiles, settings: Settings, progress: ByteProgress = lambda _done, _size: None
) -> tuple[tuple[Scan, ...], Check]:
    """Return the scans of the files and the check they passed. Raises Stop."""
    check = Check(settings, files.reading.rating_range, ranged=False, now=files.now)
    read = Files(files.interactions, files.items, files.reading)
    return scan_files(read, check, progress, otherwise=files.target), check


def load_data(files: EvaluatedFiles, settings: Settings) -> Data:
    """Read the files. Raises Stop, with what to do, for files or a target that cannot be used."""
    return data_of(scan_evaluated(files, settings)[0], files.target, settings)


def data_of(scans: tuple[Scan, ...], target: str, settings: Settings) -> Data:
    """Return what is evaluated, from files that were scanned. Raises Stop for a target that cannot be used.

    scans: that of the events, and that of the items if there is a file of them. Domains that `settings` name keep their
    role. Of the others, all but the target are sources.
    """
    scanned, listed = scans[0], scans[1] if len(scans) > 1 else None
    events = scanned.events
    if not any(e.domain == target for e in events):
        held = ", ".join(sorted({e.domain for e in events}))
        raise Stop(f"--target {target}: the file holds {held}")
    names: dict[str, DomainConfig] = dict(settings.domains)
    for name in (*(() if listed is None else listed.domains), *scanned.domains):
        names.setdefault(name, DomainConfig(role="target" if name == target else "source"))
    before = len(events)
    events = once_in_time_order(events, settings)
    catalogue = _catalogue(listed, events)
    values = np.array([e.value for e in events if e.value is not None])
    seen = (float(values.min()), float(values.max())) if len(values) else (1.0, 5.0)
    limits = scanned.table.options.rating_range or (
        seen if seen[0] < seen[1] else (seen[0] - 1.0, seen[1] + 1.0)
    )
    # Only the target gets lists; ranking in other domains plays no part.
    domains = [
        Domain(name, config.role, limits, recommend=name == target, catalogue="required")
        for name, config in sorted(names.items())
    ]
    grid = np.unique([e.value for e in events if e.domain == target and e.value is not None])
    bad = sum(found.bad_rows for found in scans)
    return Data(events, catalogue, domains, target, limits, grid, bad, before - len(events))


def _catalogue(listed: Scan | None, events: list[Interaction]) -> list[Item]:
    """Return the items of the file; without a file, those of the events."""
    if listed is None:
        return [Item(*key) for key in dict.fromkeys((e.domain, e.item) for e in events)]
    return listed.items if "domain" in listed.table.columns else _placed(listed.items, events)


def _placed(items: list[Item], events: list[Interaction]) -> list[Item]:
    """Put items of a file without domains into each domain in which they have events. Other items stay."""
    domains: dict[str, dict[str, None]] = {}
    for event in events:
        domains.setdefault(event.item, {})[event.domain] = None
    return [
        msgspec.structs.replace(item, domain=domain)
        for item in items
        for domain in domains.get(item.item_id, (item.domain,))
    ]


def parse_strategies(text: str) -> tuple[str, ...]:
    """Parse `none,coral` into ("none", "coral"), and `all` into all strategies. Raises Stop."""
    if text.strip() == "all":
        return STRATEGIES
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in STRATEGIES:
            raise Stop(f"--strategies {text}: {name} is none of {', '.join(STRATEGIES)}, all")
    return names


class Vectors(NamedTuple):
    """Raw text vectors of the items with text, by position in `Data.items`."""

    positions: NDArray[np.int64]
    raw: NDArray[np.float32]


class Job(msgspec.Struct, frozen=True):
    """What a worker process needs to load the same data."""

    files: EvaluatedFiles
    settings: bytes
    """The config, as JSON."""
    vectors: Path

    def load(self) -> tuple[Data, Settings, Vectors]:
        """Read the files again. Raises Stop."""
        settings = msgspec.json.decode(self.settings, type=Settings)
        data = load_data(self.files, settings)
        with np.load(self.vectors) as held:
            return data, settings, Vectors(held["positions"], held["raw"])
