"""Prepare what is evaluated: events in time order, items, and the domains as `run` would see them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumers.config.schema import DomainConfig, Settings
from consumers.datasets.checking import Check
from consumers.datasets.opening import open_tables
from consumers.datasets.options import ReadOptions
from consumers.datasets.scan import Scan, scan
from consumers.errors import Stop
from models.schema import Domain, Interaction, Item
from models.transfer.strategies import STRATEGIES


class Data(NamedTuple):
    """`events` in time order. `rating_range`: the range to which every arm clips."""

    events: list[Interaction]
    items: list[Item]
    domains: list[Domain]
    target: str
    rating_range: tuple[float, float]
    grid: NDArray[np.float64]
    """The distinct ratings of the target, ascending; empty without ratings."""
    bad_rows: int

    @property
    def has_ratings(self) -> bool:
        return len(self.grid) > 0

    def unlisted(self) -> int:
        """Count the target's events whose item is not in the item file."""
        listed = {i.item_id for i in self.items if i.domain == self.target}
        return sum(e.domain == self.target and e.item not in listed for e in self.events)


class EvaluatedFiles(msgspec.Struct, frozen=True):
    """The files of an evaluation and how they are read."""

    interactions: Path
    items: Path
    target: str
    """The domain that is measured, and the domain of rows without one."""
    reading: ReadOptions = ReadOptions()
    now: int = 0
    """The time of rows that have none, ms since the epoch."""


def scan_files(
    files: EvaluatedFiles,
    settings: Settings,
    progress: Callable[[int, int], object] = lambda _done, _size: None,
) -> tuple[Scan, Scan, Check]:
    """Return (events, items, the check they passed). Raises Stop.

    progress: called with the bytes read and the bytes of both files.
    """
    tables = open_tables(
        (files.interactions, files.items),
        None,
        files.reading,
        ("interactions", "items"),
        otherwise=files.target,
    )
    size = sum(table.size for table in tables)
    check = Check(settings, files.reading.rating_range, ranged=False, now=files.now)
    events, catalogue = (
        scan(table, check, keep=True, progress=lambda: progress(sum(t.position for t in tables), size))
        for table in tables
    )
    return events, catalogue, check


def load_data(files: EvaluatedFiles, settings: Settings) -> Data:
    """Read both files. Raises Stop, with what to do, for files or a target that cannot be used."""
    return data_of(*scan_files(files, settings)[:2], files.target, settings)


def data_of(scanned: Scan, listed: Scan, target: str, settings: Settings) -> Data:
    """Return what is evaluated, from files that were scanned. Raises Stop for a target that cannot be used.

    Domains that `settings` name keep their role. Of the others, all but the target are sources.
    """
    events, catalogue = scanned.events, listed.items
    if not any(e.domain == target for e in events):
        held = ", ".join(sorted({e.domain for e in events}))
        raise Stop(f"--target {target}: the file holds {held}")
    names: dict[str, DomainConfig] = dict(settings.domains)
    for name in (*listed.domains, *scanned.domains):
        names.setdefault(name, DomainConfig(role="target" if name == target else "source"))
    if "domain" not in listed.table.columns:
        catalogue = _placed(catalogue, events)
    events = sorted(events, key=lambda e: e.timestamp)
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
    return Data(events, catalogue, domains, target, limits, grid, scanned.bad_rows + listed.bad_rows)


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
