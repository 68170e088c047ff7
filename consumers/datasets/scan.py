"""Scan a table: read it from beginning to end, before anything is sent or learned, and say what is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from consumers.datasets.checking import Check, Refused, rating_of
from consumers.datasets.fields.row_parser import EventParser
from consumers.datasets.options import FIELDS
from consumers.datasets.problems import BadRow, TableError
from consumers.datasets.record import Sent
from consumers.datasets.table_file import NO_RATING, TableFile
from consumers.events.record import Kind
from models.schema import Interaction, Item

SHOW_BAD = 20
_FIRST = 3
_REPEATED = 0.2  # share of item rows that repeat an id; with more the rows are no items
_PROGRESS_EVERY = 10_000


class DomainScan(msgspec.Struct):
    """What a table holds of one domain."""

    clicks: int = 0
    ratings: int = 0
    lowest: float = float("inf")
    highest: float = float("-inf")
    outside: int = 0
    """Ratings outside the range, which are bad rows."""
    items: int = 0


class _Implicit(msgspec.Struct):
    """Rows that count as clicks only because they have no rating. They are bad rows if their domain has ratings."""

    count: int = 0
    lines: list[int] = []
    """Lines of the first of these rows."""

    def add(self, line: int) -> None:
        """Count a row."""
        self.count += 1
        if len(self.lines) < SHOW_BAD:
            self.lines.append(line)


class Scan(msgspec.Struct):
    """Figures of a table's content. `events` and `items` are filled only on request."""

    table: TableFile
    kind: Kind
    domains: dict[str, DomainScan]
    bad_rows: int = 0
    bad: list[BadRow] = []
    """The first bad rows."""
    refused: int = 0
    """Bad rows that are records. `run` would make dead letters of them."""
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    """Bad rows by the field that is wrong, or by `row` if the row itself is."""
    first: list[Sent] = []
    """The first rows as they will be sent."""
    earliest: int | None = None
    latest: int | None = None
    in_order: bool = True
    """Whether the interactions are in time order."""
    cut: str | None = None
    """Why the file was not read to its end, or None."""
    skipped: Counter[str] = msgspec.field(default_factory=Counter)
    left_out: int = 0
    types: Counter[str] = msgspec.field(default_factory=Counter)
    """Rows by event type and its meaning."""
    item_ids: Counter[str] = msgspec.field(default_factory=Counter)
    """Item ids of all rows."""
    events: list[Interaction] = []
    items: list[Item] = []

    @property
    def good(self) -> int:
        """Return the number of good rows."""
        return sum(d.clicks + d.ratings + d.items for d in self.domains.values())


def scan(
    table: TableFile, check: Check, keep: bool = False, progress: Callable[[], object] = lambda: None
) -> Scan:
    """Read all of `table`, and decide what only the whole table can tell. Raises TableError with what to do.

    keep: collect the decoded events and items. `progress` is called from time to time.
    """
    scanner = _Scanner(table, keep)
    table.rated = frozenset()
    for n, sent in enumerate(table.records(scanner.add_bad)):
        if n % _PROGRESS_EVERY == 0:
            progress()
        scanner.add(sent, check(sent))
    found = scanner.settled()
    progress()
    return found


class _Scanner:
    """The state of a scan while it reads."""

    def __init__(self, table: TableFile, keep: bool) -> None:
        self._table, self._keep = table, keep
        self._found = Scan(table, table.kind, {})
        self._implicit: dict[str, _Implicit] = {}
        self._kept_implicit = bytearray()
        """A flag for each of `Scan.events`."""

    def add_bad(self, row: BadRow) -> None:
        """Count a bad row, and keep it if it is among the first."""
        found = self._found
        found.bad_rows += 1
        field = row.reason.partition(" ")[0]
        found.reasons[field if field in FIELDS else "row"] += 1
        if len(found.bad) < SHOW_BAD:
            found.bad.append(row)

    def add(self, sent: Sent, decoded: Interaction | Item | Refused) -> None:
        """Count a row that is a record, and what the check says of it."""
        found = self._found
        of_domain = found.domains.setdefault(sent.domain, DomainScan())
        if isinstance(decoded, Refused):
            found.refused += 1
            if decoded.reason == "out_of_range":
                of_domain.outside += 1
                _widen(of_domain, rating_of(sent))
            self.add_bad(BadRow(sent.file, sent.line, decoded.why))
            return
        if len(found.first) < _FIRST:
            found.first.append(sent)
        if isinstance(decoded, Item):
            of_domain.items += 1
            found.item_ids[decoded.item_id] += 1
            if self._keep:
                found.items.append(decoded)
            return
        _count(found, of_domain, sent, decoded)
        if self._keep:
            found.events.append(decoded)
            self._kept_implicit.append(sent.implicit)
        if sent.implicit:
            self._implicit.setdefault(sent.domain, _Implicit()).add(sent.line)

    def settled(self) -> Scan:
        """Decide what only the whole table can tell. Raises TableError."""
        found, table = self._found, self._table
        found.cut = table.cut
        found.skipped, found.left_out = table.skipped, table.left_out
        _settle_types(found)
        _settle_ratings(found, self._implicit, self.add_bad)
        if self._keep and any(name in table.rated for name in self._implicit):
            found.events = [
                event
                for event, doubtful in zip(found.events, self._kept_implicit, strict=True)
                if not (doubtful and event.domain in table.rated)
            ]
        _refuse_useless(found)
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
    """Count rows by the meaning of their event type. Raises TableError for types without a meaning."""
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
    """Decide on rows without a rating: clicks in a domain without ratings, bad rows in any other."""
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
    """Raise TableError if there is no good row, or if the rows of an item table are no items."""
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
