"""Read one file of a user: its kind, the column of each field, and its rows as contract records."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from consumers.config.checks import DOMAIN_NAME
from consumers.datasets.fields.cells import UndecodableError
from consumers.datasets.fields.columns import FIELDS_OF, recognise
from consumers.datasets.fields.row_parser import EventParser, ItemParser, Row
from consumers.datasets.fields.times import date_order, has_numeric_date
from consumers.datasets.formats.delimited_rows import DelimitedRows
from consumers.datasets.formats.json_rows import JsonRows
from consumers.datasets.formats.layout import layout_of
from consumers.datasets.formats.parquet_rows import ParquetRows
from consumers.datasets.formats.text_stream import UNDECODABLE, TextStream
from consumers.datasets.formats.unpacking import UNREADABLE, Unpacked
from consumers.datasets.options import DateOrder, ReadOptions
from consumers.datasets.problems import BadRow, BadRowError, NoDomainError, TableError
from consumers.datasets.record import Sent
from consumers.events.record import Kind

SAMPLE = 2000
"""Rows whose values decide the types of the columns."""

NO_RATING = (
    "rating is empty, in a domain that has ratings: fill it in, or add a column type that says click; --as-clicks "
    "makes every row a click"
)
_HEAD = 1 << 16  # characters from which the layout is recognised
_AHEAD_MS = 300_000  # the contract allows clocks that are this much ahead


class _Rows(Protocol):
    names: list[str]
    inner: list[str]
    description: str
    cut: str | None

    @property
    def position(self) -> int: ...

    def rows(self, wanted: Sequence[str | None]) -> Iterator[tuple[int, Row | str]]: ...


class TableFile:
    """One file. `kind` says what it holds, `columns` the column of each field; `records()` reads it.

    Without `domain` each row's domain column decides. With `domain` and no such column, all rows are of that domain.
    With both, only rows of that domain are read, and the others are counted in `skipped`.

    Items that are `expected` may lack text. Raises TableError if the file cannot be read or understood.
    """

    def __init__(
        self,
        path: Path,
        domain: str | None = None,
        options: ReadOptions | None = None,
        expected: Kind | None = None,
    ) -> None:
        self.path = path
        self.domain = domain
        self.options = options or ReadOptions()
        self.skipped: Counter[str] = Counter()
        """Rows left out because they are of a domain that was not asked for."""
        self.left_out = 0
        """Rows of a type that is left out (`--type NAME=skip`)."""
        self.rated: frozenset[str] = frozenset()
        """Domains that have ratings. In them a row without a rating and without a type is bad. See `scan`."""
        if domain is not None and not DOMAIN_NAME.fullmatch(domain):
            raise TableError(f"a domain name is made of a-z, 0-9, _ and - only, not {domain!r}")
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise TableError(f"{path}: a pipe can be read only once; write it into a file first")
        try:
            self.size = path.stat().st_size
            self._rows = _rows_of(path, self.options)
            self.sample = self._sample()
        except UNREADABLE as error:
            why = (
                getattr(error, "strerror", None) or f"{error}: the file is cut off or damaged; fetch it again"
            )
            raise TableError(f"{path}: {why}") from None
        except RecursionError:
            raise TableError(f"{path}: nested too deep") from None
        found = recognise(path, self._rows.names, self._rows.inner, self.options, expected, self.sample)
        self.kind, self.columns, self.unused, self.notes, self.doubtful = found
        self.names = [*self._rows.names, *self._rows.inner]
        self.description = self._rows.description
        if domain is None and "domain" not in self.columns:
            raise NoDomainError(f"{path}: no column tells the domain; name it with --domain")
        self.order = self._date_order()
        self.latest = int(time.time() * 1000) + _AHEAD_MS
        self.parser: EventParser | ItemParser = self._parser()

    @property
    def position(self) -> int:
        """Return how many of the file's `size` bytes have been read."""
        return self._rows.position

    @property
    def cut(self) -> str | None:
        """Return why the latest reading ended before the file did, or None."""
        return self._rows.cut

    def records(self, on_bad: Callable[[BadRow], object]) -> Iterator[Sent]:
        """Yield every good row in the file's order; bad ones go to `on_bad`. About 8,000 rows are in memory at a time.

        Raises TableError if an item's text is in another encoding.
        """
        fields, file = FIELDS_OF[self.kind], str(self.path)
        at = fields.index("domain") if "domain" in self.columns else None
        self.skipped, self.left_out, self.parser = Counter(), 0, self._parser()
        line = 0
        try:
            for line, row in self._rows.rows([self.columns.get(field) for field in fields]):
                try:
                    if isinstance(row, str):
                        raise BadRowError(row)
                    domain = self._domain_of(None if at is None else row[at], at is not None)
                    if domain is None:
                        continue
                    sent = self.parser(domain, row)
                    if sent is None:
                        self.left_out += 1
                    elif sent.implicit and domain in self.rated:
                        raise BadRowError(NO_RATING)
                    else:
                        sent.file, sent.line = file, line
                        yield sent
                except BadRowError as error:
                    if isinstance(error, UndecodableError) and self.kind == "items":
                        raise TableError(f"{file}:{line}: {error}") from None
                    on_bad(BadRow(file, line, str(error)))
        except UNREADABLE as error:  # the file was deleted or changed while it was read
            self._rows.cut = str(error)
            on_bad(BadRow(file, line + 1, f"unreadable from here on: {error}"))

    def _domain_of(self, value: Any, told: bool) -> str | None:
        """Return the row's domain; None if another one was asked for. Raises BadRowError."""
        if not told:
            return self.domain
        domain = str(value or "").strip()
        if self.domain is not None and domain != self.domain:
            self.skipped[domain] += 1
            return None
        if not DOMAIN_NAME.fullmatch(domain):
            usual = re.sub("[^a-z0-9_-]+", "-", domain[:40].lower()).strip("-")
            instead = f": write {usual}" if usual else ""
            raise BadRowError(f"domain {domain[:40]!r} is not made of a-z, 0-9, _ and - only{instead}")
        return domain

    def _parser(self) -> EventParser | ItemParser:
        if self.kind == "items":
            return ItemParser(self.columns)
        return EventParser(self.columns, self.options, self.latest, self.order)

    def _sample(self) -> dict[str, list[Any]]:
        names = self._rows.names
        rows = [row for _, row in islice(self._rows.rows(names), SAMPLE) if not isinstance(row, str)]
        return {name: [row[n] for row in rows] for n, name in enumerate(names)}

    def _date_order(self) -> DateOrder | None:
        """Decide how 03/04/2011 is meant, from all dates of the file. Raises TableError if they do not tell."""
        column = self.columns.get("timestamp") if self.kind == "interactions" else None
        if column is None or not has_numeric_date(self.sample.get(column, ())):
            return None
        values = (row[0] for _, row in self._rows.rows([column]) if not isinstance(row, str))
        try:
            order = date_order(values, self.options.date_order)
        except ValueError as error:
            raise TableError(
                f"{self.path}: column {column}: {error}: say --date-order dmy (day first) or --date-order mdy"
            ) from None
        if order is not None:
            self.notes.append(f"dates have the {'day' if order == 'dmy' else 'month'} first")
        return order


def _rows_of(path: Path, options: ReadOptions) -> _Rows:
    """Return the reader for this kind of file. Raises TableError, and what `UNREADABLE` lists."""
    unpacked = Unpacked(path)
    head, packings = unpacked.head, unpacked.packings
    unpacked.close()
    if head.startswith(b"PAR1"):
        if packings:
            raise TableError(f"{path}: Parquet inside of {packings[0]}; unpack it first")
        return ParquetRows(path)
    if not head:
        raise TableError(f"{path}: the file is empty")
    stream = TextStream(path, options.encoding)
    text = stream.head(_HEAD)
    if not text and stream.cut:
        raise TableError(f"{path}: {stream.cut}: the file is cut off or damaged; fetch it again")
    if text.count("\0") > len(text) / 10:
        raise TableError(
            f"{path}: zero characters between the letters: is it UTF-16? Say --encoding utf-16-le"
        )
    if text.lstrip()[:1] in ("{", "["):
        return JsonRows(stream, text)
    layout = layout_of(path, text, options.delimiter, [c for c in options.columns.values() if c])
    if layout.note.endswith("MovieLens's") and options.encoding is None and not _is_utf8(stream):
        stream = TextStream(path, "latin-1")  # MovieLens 100k and 1M are in Latin-1
    return DelimitedRows(stream, layout)


def _is_utf8(stream: TextStream) -> bool:
    return not any(UNDECODABLE in block for block in stream.blocks())
