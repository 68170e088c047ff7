"""Read the files of `pretrain`: the complete events of the config's domains in time order, and the items.

Each row of the interaction file is counted once. It is used, bad (a value is missing or breaks the contract),
repeated (its event_id came before) or skipped (its domain is not in the config).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from consumers.config.schema import Settings
from consumers.datasets.checking import Check
from consumers.datasets.opening import open_tables
from consumers.datasets.options import ReadOptions
from consumers.datasets.scan import Scan, scan
from consumers.errors import Stop
from consumers.events.deduplication import DedupWindow
from models.schema import Interaction, Item

ByteProgress = Callable[[int, int], object]
"""A function that is called from time to time with (bytes read, bytes in all)."""


class FileHistory(NamedTuple):
    """Complete events in time order with each event_id once, the items, and what was left out.

    scans: those of the event file, then of the item file.
    """

    events: list[Interaction]
    items: list[Item]
    skipped: Counter[str]
    """Events that are not used, by domain."""
    repeated: int
    scans: tuple[Scan, Scan]
    check: Check

    @property
    def cut(self) -> bool:
        """Return whether a file was not read to its end."""
        return any(found.cut is not None for found in self.scans)


def read_history(
    interactions: Path,
    items: Path,
    settings: Settings,
    domain: str | None = None,
    reading: ReadOptions = ReadOptions(),  # noqa: B008  it never changes
    progress: ByteProgress = lambda _done, _size: None,
) -> FileHistory:
    """Read both files. Raises Stop, with what to do.

    domain: the domain of all rows; of files with a domain column, the domain whose rows are used.
    """
    tables = open_tables((interactions, items), domain, reading, ("interactions", "items"))
    size = sum(table.size for table in tables)
    check = Check(settings, reading.rating_range, pseudonyms=settings.privacy.ids())
    events, catalogue = (
        scan(table, check, keep=True, progress=lambda: progress(sum(t.position for t in tables), size))
        for table in tables
    )
    known = settings.domains
    skipped = events.skipped + Counter(e.domain for e in events.events if e.domain not in known)
    used = sorted((e for e in events.events if e.domain in known), key=lambda e: e.timestamp)
    if not used:
        raise Stop(
            f"--interactions {interactions}: no usable event of a domain of the config ({', '.join(known)}); it has "
            f"{', '.join(sorted(skipped))}; {events.bad_rows:,} bad rows"
        )
    window = DedupWindow(settings.intake.dedup_events)
    unique = [e for e in used if not window.repeated(e.domain, e.event_id)]
    listed = [item for item in catalogue.items if item.domain in known]
    return FileHistory(unique, listed, skipped, len(used) - len(unique), (events, catalogue), check)


def warnings(history: FileHistory) -> Iterator[str]:
    """Yield a line for people about each kind of event left out, except bad rows."""
    if history.repeated:
        yield f"{history.repeated:,} events left out: their event_id came before"
    if history.skipped:
        names = ", ".join(f"{name} ({count:,})" for name, count in sorted(history.skipped.items()))
        yield f"{history.skipped.total():,} events skipped of domains that are not used: {names}"


def holdout_start(events: list[Interaction], share: float) -> int:
    """Return where the last `share` of the events in time order begins; events of one time stay together.

    Raises Stop if nothing would be left to learn.
    """
    if share <= 0.0:
        return len(events)
    at = min(len(events) - 1, len(events) - round(share * len(events)))
    first = bisect_left(events, events[at].timestamp, key=lambda e: e.timestamp)
    if first == 0:
        raise Stop(
            f"--holdout {share}: the {len(events):,} events are too few, or too many have the same time, to hold "
            "some out and learn from earlier ones. --holdout 0 learns them all and measures nothing."
        )
    return first
