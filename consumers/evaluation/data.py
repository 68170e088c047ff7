"""What is evaluated: the events in time order, the item file, and the domains as `run` would have them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumers.config import DomainConfig, Settings
from consumers.decode import Decoder
from consumers.errors import Stop
from consumers.rejection import Rejection
from consumers.rows import Kind
from consumers.source import Record
from consumers.tables import NoDomainError, Table
from models.interaction import Domain, Interaction, Item
from models.strategy import STRATEGIES


class Data(NamedTuple):
    """`events` in time order; `rating_range` is the range that every arm clips to."""

    events: list[Interaction]
    items: list[Item]
    domains: list[Domain]
    target: str
    rating_range: tuple[float, float]
    grid: NDArray[np.float64]
    """The distinct ratings of the target that occur, ascending; empty without ratings."""
    bad_rows: int

    @property
    def has_ratings(self) -> bool:
        return len(self.grid) > 0

    def unlisted(self) -> int:
        """How many of the target's events are of items that the item file does not have."""
        listed = {i.item_id for i in self.items if i.domain == self.target}
        return sum(e.domain == self.target and e.item not in listed for e in self.events)


def open_tables(
    interactions: Path, items: Path, domain: str | None = None, otherwise: str | None = None
) -> tuple[Table, Table]:
    """Both files, not yet read; with `domain`, only its rows. Raises Stop for one that is missing or is not that.

    otherwise: the domain of all rows of a file without such a column.
    """
    return _table(interactions, "interactions", domain, otherwise), _table(items, "items", domain, otherwise)


def _table(path: Path, kind: Kind, domain: str | None, otherwise: str | None) -> Table:
    try:
        table = Table(path, domain, expected=kind)
    except NoDomainError:
        if otherwise is None:
            raise
        table = Table(path, otherwise, expected=kind)
    if table.kind != kind:
        raise Stop(f"--{kind} {path}: this file holds {table.kind}")
    return table


def load_data(
    interactions: Path,
    items: Path,
    target: str,
    settings: Settings,
    rating_range: tuple[float, float] | None = None,
) -> Data:
    """Reads both files. Raises Stop, with what to do, for files or a target that cannot be used.

    Domains that `settings` names keep their role there; of the others, every one but the target is a source.
    """
    bad: Counter[str] = Counter()
    table, item_table = open_tables(interactions, items, otherwise=target)
    wide = (float("-inf"), float("inf"))
    names: dict[str, DomainConfig] = dict(settings.domains)
    events: list[Interaction] = []
    catalogue: list[Item] = []
    for source, into in ((item_table, catalogue), (table, events)):
        decoder: Decoder | None = None
        for row in source.records(lambda row: bad.update([row.file])):
            if row.domain not in names:
                names[row.domain] = DomainConfig(role="target" if row.domain == target else "source")
                decoder = None
            if decoder is None:
                topics = {f"{kind}.{n}": (n, kind) for n in names for kind in ("interactions", "items")}
                decoder = Decoder(topics, [Domain(n, rating_range=wide) for n in names], 2**31)  # type: ignore[arg-type]
            record = Record(f"{row.kind}.{row.domain}", 0, 0, -1, row.key, row.value)
            decoded = decoder.decode(record)
            if isinstance(decoded, Interaction | Item):
                into.append(decoded)  # type: ignore[arg-type]
            elif isinstance(decoded, Rejection):
                bad[decoded.reason] += 1
    if not any(e.domain == target for e in events):
        held = ", ".join(sorted({e.domain for e in events})) or "no usable event"
        left = ", ".join(f"{reason} {n:,}" for reason, n in bad.most_common(3))
        raise Stop(f"--target {target}: the file holds {held}" + (f"; left out: {left}" if left else ""))
    if "domain" not in item_table.columns:
        catalogue = _placed(catalogue, events)
    events.sort(key=lambda e: e.timestamp)
    values = np.array([e.value for e in events if e.value is not None])
    seen = (float(values.min()), float(values.max())) if len(values) else (1.0, 5.0)
    limits = rating_range or (seen if seen[0] < seen[1] else (seen[0] - 1.0, seen[1] + 1.0))
    # Lists are made for the target alone: how other domains are ranked has no part in it.
    domains = [
        Domain(name, config.role, limits, recommend=name == target, catalogue="required")
        for name, config in sorted(names.items())
    ]
    grid = np.unique([e.value for e in events if e.domain == target and e.value is not None])
    return Data(events, catalogue, domains, target, limits, grid, sum(bad.values()))


def _placed(items: list[Item], events: list[Interaction]) -> list[Item]:
    """Items of a file that does not tell their domain: in each in which they have events, else where they are."""
    domains: dict[str, dict[str, None]] = {}
    for event in events:
        domains.setdefault(event.item, {})[event.domain] = None
    return [
        msgspec.structs.replace(item, domain=domain)
        for item in items
        for domain in domains.get(item.item_id, (item.domain,))
    ]


def parse_range(text: str | None) -> tuple[float, float] | None:
    """`1:5` as (1.0, 5.0). Raises Stop."""
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError as error:
        raise Stop(f"--rating-range {text}: write LO:HI, such as 1:5") from error
    if not low < high:
        raise Stop(f"--rating-range {text}: LO must be below HI")
    return low, high


def parse_strategies(text: str) -> tuple[str, ...]:
    """`none,coral` as ("none", "coral"); `all` as all of them. Raises Stop."""
    if text.strip() == "all":
        return STRATEGIES
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in STRATEGIES:
            raise Stop(f"--strategies {text}: {name} is none of {', '.join(STRATEGIES)}, all")
    return names


class Vectors(NamedTuple):
    """Raw text vectors of items by position in `Data.items`; only those with text."""

    positions: NDArray[np.int64]
    raw: NDArray[np.float32]


class Job(msgspec.Struct, frozen=True):
    """What a worker process needs to load the same data."""

    interactions: Path
    items: Path
    target: str
    rating_range: tuple[float, float] | None
    settings: bytes
    vectors: Path

    def load(self) -> tuple[Data, Settings, Vectors]:
        settings = msgspec.json.decode(self.settings, type=Settings)
        data = load_data(self.interactions, self.items, self.target, settings, self.rating_range)
        with np.load(self.vectors) as held:
            return data, settings, Vectors(held["positions"], held["raw"])
