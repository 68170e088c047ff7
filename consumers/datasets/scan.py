"""One reading of a table from its beginning to its end, before anything is sent or learned: what is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from consumers.datasets.checking import Check, Refused, rating_of
from consumers.datasets.fields.row_parser import EventParser
from consumers.datasets.options import FIELDS
from consumers.datasets.problems import BadRow, TableError
from consumers.datasets.record import Sent
from consumers.datasets.table_file import NO_RATING, Table
from consumers.events.record import Kind
from models.schema import Interaction, Item

SHOW_BAD = 20
_FIRST = 3
_REPEATED = 0.2  # of item rows: beyond that they are no items
_PROGRESS_EVERY = 10_000


class DomainScan(msgspec.Struct):
    """What a table holds of one domain."""

    clicks: int = 0
    ratings: int = 0
    lowest: float = float("inf")
    highest: float = float("-inf")
    outside: int = 0
    """Ratings outside of the range; they are bad rows."""
    items: int = 0


class _Implicit(msgspec.Struct):
    """Clicks of which nothing says that they are: bad rows if their domain turns out to have ratings."""

    count: int = 0
    lines: list[int] = []
    """The first of them."""


class Scan(msgspec.Struct):
    """A table's content in figures; `events` and `items` only where they were asked for."""

    table: Table
    kind: Kind
    domains: dict[str, DomainScan]
    bad_rows: int = 0
    bad: list[BadRow] = []
    """The first of them."""
    refused: int = 0
    """Bad rows that are records, which `run` would make dead letters."""
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    """Bad rows by the field that is wrong; `row` where it is the row as such."""
    first: list[Sent] = []
    """The first rows as they will be sent."""
    earliest: int | None = None
    latest: int | None = None
    in_order: bool = True
    """Whether the interactions lie in the order of their time."""
    cut: str | None = None
    """Why the file was not read to its end, or None."""
    skipped: Counter[str] = msgspec.field(default_factory=Counter)
    left_out: int = 0
    types: Counter[str] = msgspec.field(default_factory=Counter)
    """Rows by event type and what it was taken for."""
    item_ids: Counter[str] = msgspec.field(default_factory=Counter)
    """In a table of items, its ids; of interactions, the ids of the items they are of."""
    events: list[Interaction] = []
    items: list[Item] = []

    @property
    def good(self) -> int:
        return sum(d.clicks + d.ratings + d.items for d in self.domains.values())


def scan(
    table: Table, check: Check, keep: bool = False, progress: Callable[[], object] = lambda: None
) -> Scan:
    """Reads all of `table` and settles what only the whole can tell. Raises TableError with what to do.

    keep: collect the decoded events and items. `progress` is called now and then.
    """
    found = Scan(table, table.kind, {})
    implicit: dict[str, _Implicit] = {}
    kept_implicit = bytearray()  # a flag for each of `found.events`
    table.rated = frozenset()

    def on_bad(row: BadRow) -> None:
        found.bad_rows += 1
        field = row.reason.partition(" ")[0]
        found.reasons[field if field in FIELDS else "row"] += 1
        if len(found.bad) < SHOW_BAD:
            found.bad.append(row)

    for n, sent in enumerate(table.records(on_bad)):
        if n % _PROGRESS_EVERY == 0:
            progress()
        decoded = check(sent)
        of_domain = found.domains.setdefault(sent.domain, DomainScan())
        if isinstance(decoded, Refused):
            found.refused += 1
            if decoded.reason == "out_of_range":
                of_domain.outside += 1
                _widen(of_domain, rating_of(sent))
            on_bad(BadRow(sent.file, sent.line, decoded.why))
            continue
        if len(found.first) < _FIRST:
            found.first.append(sent)
        if isinstance(decoded, Item):
            of_domain.items += 1
            found.item_ids[decoded.item_id] += 1
            if keep:
                found.items.append(decoded)
            continue
        _count(found, of_domain, sent, decoded)
        if keep:
            found.events.append(decoded)
            kept_implicit.append(sent.implicit)
        if sent.implicit:
            doubt = implicit.setdefault(sent.domain, _Implicit())
            doubt.count += 1
            if len(doubt.lines) < SHOW_BAD:
                doubt.lines.append(sent.line)
    found.cut = table.cut
    found.skipped, found.left_out = table.skipped, table.left_out
    _settle_types(found)
    _settle_ratings(found, implicit, on_bad)
    if keep and any(name in table.rated for name in implicit):
        found.events = [
            event
            for event, doubtful in zip(found.events, kept_implicit, strict=True)
            if not (doubtful and event.domain in table.rated)
        ]
    _refuse_useless(found)
    progress()
    return found


def _count(found: Scan, of_domain: DomainScan, sent: Sent, event: Interaction) -> None:
    found.item_ids[event.item] += 1
    if event.value is None:
        of_domain.clicks += 1
    else:
        of_domain.ratings += 1
        _widen(of_domain, event.value)
    at = sent.timestamp
    if at is not None:
        found.in_order = found.in_order and (found.latest is None or at >= found.latest)
        found.earliest = at if found.earliest is None else min(found.earliest, at)
        found.latest = at if found.latest is None else max(found.latest, at)


def _widen(of_domain: DomainScan, value: float) -> None:
    of_domain.lowest, of_domain.highest = min(of_domain.lowest, value), max(of_domain.highest, value)


def _settle_types(found: Scan) -> None:
    """Raises TableError for event types that nobody has given a meaning."""
    parser = found.table.parser
    if not isinstance(parser, EventParser):
        return
    unknown = Counter({name: n for (name, meaning), n in parser.types.items() if meaning is None})
    if unknown:
        columns = found.table.columns
        listed = ", ".join(f"{name} ({n:,})" for name, n in unknown.most_common(10))
        first = unknown.most_common(1)[0][0]
        told = f", {first}=rating where {columns['rating']} tells it" if "rating" in columns else ""
        raise TableError(
            f"{found.table.path}: column {columns['type']} holds event types that are neither click nor rating: "
            f"{listed}. Say what each is: --type {first}=click, {first}=rating:5{told}, or {first}=skip; --map type= "
            "if the column holds something else"
        )
    for (name, meaning), n in parser.types.items():
        assert meaning is not None
        value = "" if meaning.value is None else f" {meaning.value:g}"
        found.types[f"{name} = {meaning.kind}{value}"] += n


def _settle_ratings(found: Scan, implicit: dict[str, _Implicit], on_bad: Callable[[BadRow], object]) -> None:
    """Rows without a rating are clicks in a domain without ratings; else the rating is missing, and they are bad."""
    found.table.rated = frozenset(name for name, d in found.domains.items() if d.ratings or d.outside)
    for name, doubt in implicit.items():
        if name in found.table.rated:
            found.domains[name].clicks -= doubt.count
            for line in doubt.lines:
                on_bad(BadRow(str(found.table.path), line, NO_RATING))
            found.bad_rows += doubt.count - len(doubt.lines)
            found.reasons["rating"] += doubt.count - len(doubt.lines)
    found.bad.sort(key=lambda row: row.line)
    found.first = [s for s in found.first if not (s.implicit and s.domain in found.table.rated)]


def _refuse_useless(found: Scan) -> None:
    """Raises TableError where there is not one good row, or where items are none."""
    table = found.table
    if not found.good:
        if table.skipped and not found.bad_rows:
            others = ", ".join(repr(name) for name, _ in table.skipped.most_common(5))
            raise TableError(f"{table.path}: no row is of domain {table.domain!r}; there are {others}")
        if found.bad:
            raise TableError(f"{found.bad[0]} ({found.bad_rows:,} bad rows, and none that can be used)")
        raise TableError(
            f"{table.path}: no rows"
            + (f" but {found.left_out:,} that --type leaves out" if found.left_out else " after the header")
        )
    rows = found.item_ids.total()
    repeats = rows - len(found.item_ids)
    if table.doubtful and repeats > _REPEATED * rows:
        raise TableError(
            f"{table.path}: no column tells the user, and {repeats:,} of {rows:,} item ids come again: these are no "
            f"items. Name the user's column: --map user_id=COLUMN, one of {', '.join(table.unused)}"
        )
