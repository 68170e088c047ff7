"""Read the files of `pretrain` and `evaluate`: complete events in time order, and the items, if there is a file.

`pretrain` counts each row of the interaction file once. It is used, bad (a value is missing or breaks the contract),
repeated (its event_id came before) or skipped (its domain is not in the config).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from consumers.config.schema import Settings
from consumers.datasets.checking import Check
from consumers.datasets.opening import open_tables
from consumers.datasets.options import ReadOptions
from consumers.datasets.scan import Scan, scan
from consumers.datasets.table_file import TableFile
from consumers.errors import Stop
from consumers.events.deduplication import DedupWindow
from consumers.events.record import Kind
from models.schema import Interaction, Item

ByteProgress = Callable[[int, int], object]
"""A function that is called from time to time with (bytes read, bytes in all)."""


class FileHistory(NamedTuple):
    """Complete events in time order with each event_id once, the items, and what was left out.

    scans: that of the event file, then that of the item file if there is one.
    """

    events: list[Interaction]
    items: list[Item]
    skipped: Counter[str]
    """Events that are not used, by domain."""
    repeated: int
    scans: tuple[Scan, ...]
    check: Check

    @property
    def cut(self) -> bool:
        """Return whether a file was not read to its end."""
        return any(found.cut is not None for found in self.scans)


class Files(NamedTuple):
    """The files, and the options for reading them. Without `items`, the items are those of the events."""

    interactions: Path
    items: Path | None = None
    reading: ReadOptions = ReadOptions()


def scan_files(
    files: Files,
    check: Check,
    progress: ByteProgress = lambda _done, _size: None,
    domain: str | None = None,
    otherwise: str | None = None,
    opened: Callable[[TableFile], object] = lambda _: None,
) -> tuple[Scan, ...]:
    """Return the scan of the event file, and of the item file if there is one. Raises Stop, with what to do.

    domain, otherwise: as for `open_tables`. progress: called with the bytes read and the bytes of all files. opened:
    called with the event file before it is read.
    """
    paths = [path for path in (files.interactions, files.items) if path is not None]
    kinds: tuple[Kind, ...] = ("interactions", "items")
    tables = open_tables(paths, domain, files.reading, kinds[: len(paths)], otherwise)
    opened(tables[0])
    size = sum(table.size for table in tables)

    def tell() -> None:
        progress(sum(t.position for t in tables), size)

    return tuple(scan(table, check, keep=True, progress=tell) for table in tables)


def read_history(
    files: Files,
    settings: Settings,
    domain: str | None = None,
    progress: ByteProgress = lambda _done, _size: None,
    warn: Callable[[str], object] = lambda _: None,
) -> FileHistory:
    """Read the files. Raises Stop, with what to do.

    domain: the domain of all rows; of files with a domain column, the domain whose rows are used. warn: called, before
    the files are read, with a line for people if the first rows are of domains that the config lacks.
    """
    if domain is not None and domain not in settings.domains:
        raise Stop(
            f"--domain {domain}: the config has {', '.join(settings.domains)}: add [domains.{domain}] to it"
        )
    check = Check(settings, files.reading.rating_range, pseudonyms=settings.privacy.ids())

    def opened(events: TableFile) -> None:
        for line in _warn_of_strangers(events, settings, domain):
            warn(line)

    scans = scan_files(files, check, progress, domain, opened=opened)
    events, known = scans[0], settings.domains
    skipped = events.skipped + Counter(e.domain for e in events.events if e.domain not in known)
    used = [e for e in events.events if e.domain in known]
    if not used:
        raise Stop(
            f"--interactions {files.interactions}: no usable event of a domain of the config ({', '.join(known)}); "
            f"it has {', '.join(sorted(skipped))}; {events.bad_rows:,} bad rows"
        )
    unique = once_in_time_order(used, settings)
    listed = [item for found in scans[1:] for item in found.items if item.domain in known]
    return FileHistory(unique, listed, skipped, len(used) - len(unique), scans, check)


def _warn_of_strangers(events: TableFile, settings: Settings, domain: str | None) -> Iterator[str]:
    """Yield a line for people if none of the first rows is of a domain that is used."""
    wanted = list(settings.domains) if domain is None else [domain]
    held = [str(value or "").strip() for value in events.sample.get(events.columns.get("domain", ""), ())]
    if held and not any(name in wanted for name in held):
        names = ", ".join(list(dict.fromkeys(held))[:10])
        yield (
            f"{events.path}: none of the first {len(held):,} rows is of a domain that is used ({', '.join(wanted)}); "
            f"they are of {names}. The config must name the domains of the file: [domains.NAME]"
        )


def once_in_time_order(events: Iterable[Interaction], settings: Settings) -> list[Interaction]:
    """Sort by time, and leave out repeats of an event_id, as `run` does."""
    window = DedupWindow(settings.intake.dedup_events)
    in_order = sorted(events, key=lambda e: e.timestamp)
    return [e for e in in_order if not window.repeated(e.domain, e.event_id)]


def warn_of_no_text(file: Path | None, items: Iterable[Item]) -> Iterator[str]:
    """Yield a line for people if there is no item file, or if no item has words."""
    if file is None:
        yield "no --items: the items are those of the events, and they have no text"
    elif not any(item.words().strip() for item in items):
        yield f"--items {file}: no item has a title or text, so the items have no text"


def warn_of_repeats(count: int) -> Iterator[str]:
    """Yield a line for people if events were left out because their event_id came before."""
    if count:
        yield f"{count:,} event{'s' * (count > 1)} left out: {'their' if count > 1 else 'its'} event_id came before"


def warnings(history: FileHistory) -> Iterator[str]:
    """Yield a line for people about each kind of event left out, except bad rows."""
    yield from warn_of_repeats(history.repeated)
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
