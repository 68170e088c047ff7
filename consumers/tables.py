"""Historical tables as contract records, row by row: CSV, TSV, `::`, JSON Lines, Parquet; gzip too.

What a file is, is told from its content: the format by its first bytes, the layout by its column names. So
MovieLens, Amazon Reviews 2023 and our own layout need no mapping. A bad row is reported with its line, and
left out. Ids stay strings. A row with user, item and no rating is a click.

Domain: without `domain` each row's domain column decides. With it and no such column, all rows are of that
domain; with both, only the rows of that domain are read and the others are counted in `Table.skipped`.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import re
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from consumers.delimited import cells_of, split_lines
from consumers.errors import Stop
from consumers.rows import BadRowError, Kind, Row, Sent, event_record, item_record

ALIASES: dict[str, tuple[str, ...]] = {
    "user_id": ("userid", "user", "reviewerid"),
    "item_id": ("itemid", "parentasin", "movieid", "asin", "item", "bookid", "productid"),
    "domain": ("domain",),
    "rating": ("rating", "value", "overall", "stars"),
    "timestamp": ("timestamp", "ts", "unixreviewtime", "datetime", "time"),
    "event_id": ("eventid",),
    "context": ("context",),
    "type": ("type",),
    "title": ("title",),
    "text": ("text",),
    "genres": ("genres",),
    "categories": ("categories",),
    "features": ("features",),
    "description": ("description",),
    "available": ("available",),
    "vectors": ("vectors",),
}
"""Our fields and the column names they go by (lower case, letters and digits only), most telling first."""

MAPPABLE = ("user_id", "item_id", "domain", "rating", "timestamp", "event_id", "title", "text")
_EVENT = ("user_id", "item_id", "domain", "rating", "timestamp", "event_id", "context", "type")
_ABOUT = ("genres", "categories", "features", "description")
_ITEM = ("item_id", "domain", "title", "text", *_ABOUT, "available", "vectors")

# Tables without a header, by separator and number of columns: MovieLens 1M and 10M, 100k.
_BARE: dict[tuple[str, int], Sequence[str]] = {
    ("::", 4): ("user_id", "item_id", "rating", "timestamp"),
    ("::", 3): ("item_id", "title", "genres"),
    ("\t", 4): ("user_id", "item_id", "rating", "timestamp"),
    ("|", 24): ("item_id", "title", "genres"),  # u.item: its last 18 columns are flags for the genres
}
_GENRES = (
    "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip

_DOMAIN = re.compile(r"[a-z0-9_-]+")
_AHEAD_MS = 300_000  # the contract's tolerance for a clock that is ahead
_UNREADABLE = (OSError, EOFError, zlib.error, pa.ArrowException)


class BadRow(msgspec.Struct, frozen=True):
    """A row that gives no record. `line` counts from 1 (in Parquet: the row)."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class TableError(Stop):
    """The file as a whole cannot be read; the message says what to do."""


class NoDomainError(TableError):
    """No column tells the domain, and nobody has named it."""


class Table:
    """One file. `kind` tells what is in it, `columns` which column gives which field; `records()` reads it.

    `columns` maps our fields (`MAPPABLE`) to column names, or to numbers from 0 in a table without a header;
    fields it does not name are found by their usual names. Items that are `expected` may be without text.
    Raises TableError when the file cannot be read or understood.
    """

    def __init__(
        self,
        path: Path,
        domain: str | None = None,
        columns: Mapping[str, str] | None = None,
        expected: Kind | None = None,
    ) -> None:
        self.path = path
        self.domain = domain
        self.skipped: Counter[str] = Counter()
        """Rows left out because they are of another domain than the one asked for."""
        self._raw: io.BufferedReader | None = None
        self._done = 0.0
        mapping = dict(columns or {})
        try:
            self.size = path.stat().st_size
            with path.open("rb") as file:
                start = file.read(4)
            self._zipped = start[:2] == b"\x1f\x8b"
            self._format = "parquet" if start == b"PAR1" else "text"
            self._names = self._header(mapping)
        except _UNREADABLE as error:
            raise TableError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
        self.kind, self.columns = _recognise(path, self._names, mapping, expected)
        self._fields = _EVENT if self.kind == "interactions" else _ITEM
        if domain is not None and not _DOMAIN.fullmatch(domain):
            raise TableError(f"a domain name is made of a-z, 0-9, _ and - only, not {domain!r}")
        if domain is None and "domain" not in self.columns:
            raise NoDomainError(f"{path}: no column tells the domain; name it with --domain")

    @property
    def position(self) -> int:
        """How many of the file's `size` bytes have been read."""
        if self._raw is None or self._raw.closed:
            return int(self._done * self.size)
        return self._raw.tell()

    def records(self, on_bad: Callable[[BadRow], object]) -> Iterator[Sent]:
        """Every good row in the file's order; the others go to `on_bad`. Holds one row or Parquet batch."""
        make = event_record if self.kind == "interactions" else item_record
        at = self._fields.index("domain") if "domain" in self.columns else None
        only, latest = self.domain, int(time.time() * 1000) + _AHEAD_MS
        readers = {"parquet": self._parquet_rows, "json": self._json_rows, "text": self._text_rows}
        line = 0
        try:
            for line, row in readers[self._format]():  # the last line is reported below
                try:
                    if isinstance(row, str):
                        raise BadRowError(row)
                    domain = only
                    if at is not None:
                        domain = str(row[at] or "")
                        if only is not None and domain != only:
                            self.skipped[domain] += 1
                            continue
                        if not _DOMAIN.fullmatch(domain):
                            raise BadRowError(f"domain {domain!r} is not made of a-z, 0-9, _ and - only")
                    yield make(domain or "", row, latest)
                except BadRowError as error:
                    on_bad(BadRow(str(self.path), line, str(error)))
                except UnicodeEncodeError:
                    on_bad(BadRow(str(self.path), line, "not UTF-8"))
        except _UNREADABLE as error:
            on_bad(BadRow(str(self.path), line + 1, f"unreadable from here on: {error}"))
        self._done = 1.0

    def _header(self, mapping: dict[str, str]) -> list[str]:
        """The column names; settles format, separator and whether the first line is a header."""
        if self._format == "parquet":
            return list(pq.read_schema(self.path).names)
        with self._open() as file:
            lines = [line for line in (file.readline(1 << 20) for _ in range(20)) if line.strip()]
        if not lines:
            raise TableError(f"{self.path}: the file is empty")
        first = lines[0].decode("utf-8-sig", "replace").rstrip("\r\n")
        if first.lstrip().startswith("["):
            raise TableError(f"{self.path}: this is one JSON array; make it JSON Lines first: jq -c '.[]'")
        if first.lstrip().startswith("{"):
            self._format = "json"
            found: dict[str, None] = {}
            for line in lines:
                with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
                    found.update(dict.fromkeys(msgspec.json.decode(line, type=dict[str, Any])))
            return list(found)
        self._separator = "::" if "::" in first else max(",\t;|", key=first.count)
        try:
            cells = [cell.strip() for cell in cells_of(first, self._separator)]
        except csv.Error as error:
            what = "its lines end in CR alone; make that LF: tr '\\r' '\\n'" if "\r" in first else str(error)
            raise TableError(f"{self.path}: the header cannot be read: {what}") from error
        self._width = len(cells)
        # Numbers as column names: only a header if all of them stand there.
        numbers = mapping and all(column.isdigit() for column in mapping.values())
        mapped = (all if numbers else any)(column in cells for column in mapping.values())
        self._bare = not (mapping and mapped) and not any(_plain(cell) in _KNOWN for cell in cells)
        if not self._bare:
            return cells
        known = () if mapping else _BARE.get((self._separator, self._width))
        return list(known or map(str, range(self._width)))

    @contextlib.contextmanager
    def _open(self) -> Iterator[gzip.GzipFile | io.BufferedReader]:
        with self.path.open("rb") as self._raw:
            yield gzip.GzipFile(fileobj=self._raw) if self._zipped else self._raw

    def _text_rows(self) -> Iterator[tuple[int, Row | str]]:
        names = [self.columns.get(field) for field in self._fields]
        # The place after the last cell stands for columns that are not there.
        pick = itemgetter(*(len(self._names) if n is None else self._names.index(n) for n in names))
        flags = self._bare and len(self._names) < self._width
        with (
            self._open() as binary,
            io.TextIOWrapper(binary, "utf-8-sig", "surrogateescape", newline="") as file,
        ):
            rows = split_lines(file, self._separator)
            for line, cells in itertools.islice(rows, 0 if self._bare else 1, None):
                if isinstance(cells, str):
                    yield line, cells
                elif len(cells) == self._width:
                    if flags:
                        cells[2:] = [
                            "|".join(g for g, flag in zip(_GENRES, cells[6:], strict=True) if flag == "1")
                        ]
                    cells.append("")
                    yield line, pick(cells)
                elif cells != [""]:
                    yield line, f"{len(cells)} columns instead of {self._width}"

    def _json_rows(self) -> Iterator[tuple[int, Row | str]]:
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        names = [self.columns.get(field, "\0") for field in self._fields]
        with self._open() as file:
            for line, text in enumerate(file, 1):
                try:
                    yield line, tuple(map(decode(text).get, names))
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                    if text.strip():
                        yield line, f"not a JSON object: {error}"

    def _parquet_rows(self) -> Iterator[tuple[int, Row | str]]:
        line = 0
        with pq.ParquetFile(self.path) as file:
            wanted = list(dict.fromkeys(self.columns.values()))
            for batch in file.iter_batches(batch_size=8192, columns=wanted):
                got = {name: _plain_times(batch.column(name)).to_pylist() for name in wanted}
                blank: list[Any] = [None] * batch.num_rows
                columns = (got.get(self.columns.get(field, ""), blank) for field in self._fields)
                for row in zip(*columns, strict=True):
                    line += 1
                    yield line, row
                self._done = line / max(1, file.metadata.num_rows)


def _recognise(
    path: Path, names: list[str], mapping: dict[str, str], expected: Kind | None
) -> tuple[Kind, dict[str, str]]:
    """What the table holds, and the column of each field it has."""
    if unknown := set(mapping) - set(MAPPABLE):
        raise TableError(f"cannot map {', '.join(sorted(unknown))}; the fields are {', '.join(MAPPABLE)}")
    if lost := [column for column in mapping.values() if column not in names]:
        raise TableError(f"{path}: there is no column {', '.join(lost)}; there are {', '.join(names)}")
    by_plain = {_plain(name): name for name in reversed(names)}
    found = {field: by_plain[a] for field, usual in ALIASES.items() for a in reversed(usual) if a in by_plain}
    found |= mapping
    if "item_id" in found and "user_id" in found:
        return "interactions", {field: found[field] for field in _EVENT if field in found}
    if "item_id" in found and (expected == "items" or found.keys() & {"title", "text", *_ABOUT}):
        return "items", {field: found[field] for field in _ITEM if field in found}
    lacking = "item_id" if "item_id" not in found else "user_id (interactions) or title (items)"
    raise TableError(
        f"{path}: no column for {lacking} among {', '.join(names[:30])}; say which, as in user_id=COLUMN"
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_KNOWN = {name for usual in ALIASES.values() for name in usual}


def _plain_times(column: pa.Array) -> pa.Array:
    """Times to the ms: Python has no nanoseconds."""
    return (
        column.cast(pa.timestamp("ms", column.type.tz), safe=False)
        if pa.types.is_timestamp(column.type)
        else column
    )
