"""Read delimited text as rows of cells with their lines, by pyarrow's CSV reader (RFC 4180).

pyarrow reads from any stream in bounded memory, so zip, encodings and cut files are handled before it. It also
reports each row with a wrong number of cells.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from consumers.datasets.fields.row_parser import Row
from consumers.datasets.formats.layout import BLANKS, Layout
from consumers.datasets.formats.text_stream import TextStream

_LONGEST_ROW = 1 << 23  # bytes; without a limit an open quote would swallow the rest of the file
_ROWS = 8192  # rows converted to Python values at a time
_END = "\ufdd1"  # an extra last row; if it does not come out as a row, a quote is still open
_OPEN = "a quote is opened here and never closed: close it, or write quotes within a cell twice"
_UNIT = "\x1f"  # replaces a separator of several characters
_GENRES = (
    "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip


class DelimitedRows:
    """The rows of a CSV, TSV or the like. After reading, `cut` says why the file was not read to its end, or None."""

    def __init__(self, stream: TextStream, layout: Layout) -> None:
        self.stream = stream
        self.layout = layout
        self.names = [*layout.names, "genres"] if "genre 0" in layout.names else list(layout.names)
        self.inner: list[str] = []
        self.description = f"{layout.description}, {stream.description}"
        self.cut: str | None = None
        self.comments = 0

    @property
    def position(self) -> int:
        return self.stream.position

    def rows(self, wanted: Sequence[str | None]) -> Iterator[tuple[int, Row | str]]:
        """Yield (line, cells of the `wanted` columns; None for a column that is missing), or (line, what is wrong)."""
        pick = self._picker(wanted)
        feed = _Feed(self.stream, self.layout)
        self.cut, self.comments = None, 0
        line = self.layout.before
        try:
            for line, cells in _numbered(feed, self.layout):
                if isinstance(cells, _Odd):
                    found: Row | str | None = self._complaint(line, cells)
                else:
                    found = pick(cells) if self._is_row(cells) else None
                if found is not None:
                    yield line, found
        except pa.ArrowInvalid as error:
            # A row longer than a block usually has an open quote.
            within = f"a quote is opened in or after this line and not closed within {_LONGEST_ROW >> 20} MB"
            self.cut = within if "straddling" in str(error) else str(error)
            line += 1
        finally:
            feed.close()
        self.cut = self.cut or self.stream.cut
        if self.cut is not None:
            yield line, f"unreadable from here on: {self.cut}"

    def _picker(self, wanted: Sequence[str | None]) -> Callable[[tuple[str, ...]], Row]:
        """Return a function that picks the wanted cells of a row. The place after the last means a missing column."""
        width = len(self.layout.names)
        names: dict[str | None, int] = {name: n for n, name in enumerate(self.layout.names)}
        # The place after the last cell stands for a missing one; the place after that, for genres made of flags.
        flags = len(self.names) > width
        places = [
            width + (flags and name == "genres") if name not in names else names[name] for name in wanted
        ]
        genres = width + 1 in places
        if len(places) == 1:
            return lambda cells: (cells[places[0]],)
        take = itemgetter(*places)
        return lambda cells: take((*cells, None, _genres(cells) if genres else None))

    def _is_row(self, cells: tuple[str, ...]) -> bool:
        """Return whether it is a row: no blank line, no comment, not the end. Note a quote that is open at the end."""
        if cells[-1].endswith((_END, _END + "\n")):
            if len(cells) > 1 or cells[0] != _END:
                self.cut = _OPEN
            return False
        if self.layout.comments and cells[0].startswith(self.layout.comments):
            self.comments += 1
            return False
        return any(cells)

    def _complaint(self, line: int, odd: _Odd) -> str | None:
        """Return what is wrong with a row of another width, or None if it is no row."""
        if odd.text.strip() == _END:
            return None
        if _END in odd.text:
            self.cut = _OPEN
            return None
        if self.layout.comments and odd.text.startswith(self.layout.comments):
            self.comments += 1
            return None
        if not odd.text.strip():
            return None
        breaks = odd.text.count("\n")
        wide = f"{odd.width} columns instead of {len(self.layout.names)}"
        return wide + (f" in the quoted row down to line {line + breaks}" if breaks else "")


class _Odd(NamedTuple):
    """A row whose number of cells differs from the header's. `number` counts rows from 1."""

    number: int
    text: str
    width: int


def _numbered(feed: _Feed, layout: Layout) -> Iterator[tuple[int, tuple[str, ...] | _Odd]]:
    """Yield the rows after the header with the lines on which they begin, including those of another width."""
    line, number = layout.before + 1, 0
    odd: deque[_Odd] = deque()
    for batch in _batches(feed, layout, odd):
        breaks = _line_breaks(batch)
        for at, cells in enumerate(zip(*(column.to_pylist() for column in batch.columns), strict=True)):
            number += 1
            while odd and odd[0].number == number:
                yield line, odd[0]
                line += 1 + odd.popleft().text.count("\n")
                number += 1
            if number > 1 or not layout.header:
                yield line, cells
            line += 1 + (breaks[at] if breaks is not None else 0)
    for row in odd:
        yield line, row
        line += 1 + row.text.count("\n")


def _genres(cells: tuple[str, ...]) -> str:
    """Join the genres of MovieLens 100k, whose last 18 columns are flags."""
    return "|".join(g for g, flag in zip(_GENRES, cells[-18:], strict=True) if flag == "1")


def _batches(feed: _Feed, layout: Layout, odd: deque[_Odd]) -> Iterator[pa.RecordBatch]:
    def note(row: Any) -> str:
        odd.append(_Odd(row.number, row.text, row.actual_columns))
        return "skip"

    names = [str(n) for n in range(len(layout.names))]
    several = len(layout.delimiter) > 1 or layout.delimiter == BLANKS
    reader = pa_csv.open_csv(
        feed,
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=_LONGEST_ROW, column_names=names),
        parse_options=pa_csv.ParseOptions(
            delimiter=_UNIT if several else layout.delimiter,
            quote_char=False if several else '"',
            newlines_in_values=not several,
            ignore_empty_lines=False,
            invalid_row_handler=note,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types={name: pa.string() for name in names}, strings_can_be_null=False, check_utf8=False
        ),
    )
    for batch in reader:
        yield from (batch.slice(start, _ROWS) for start in range(0, batch.num_rows, _ROWS))


def _line_breaks(batch: pa.RecordBatch) -> list[int] | None:
    """Count the line ends within the cells of each row; None if there are none."""
    total = None
    for column in batch.columns:
        if pc.any(pc.match_substring(column, "\n")).as_py():
            found = pc.count_substring(column, "\n")
            total = found if total is None else pc.add(total, found)
    return None if total is None else total.to_pylist()


class _Feed:
    """A stream's text from the header on, as bytes for pyarrow."""

    closed = False

    def __init__(self, stream: TextStream, layout: Layout) -> None:
        self._pieces = self._prepared(stream, layout)
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return as much as was asked for, until the end: pyarrow takes each answer for a block."""
        parts, length = [self._rest], len(self._rest)
        while length < size and (piece := next(self._pieces, None)) is not None:
            parts.append(piece.encode())
            length += len(parts[-1])
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]

    def close(self) -> None:
        self._pieces.close()

    def _prepared(self, stream: TextStream, layout: Layout) -> Any:
        skip = layout.before
        for piece in stream.whole_lines():
            text = piece
            while skip and text:
                text, skip = text.partition("\n")[2], skip - 1
            if layout.delimiter == BLANKS:
                text = re.sub(r"[ \t]+", _UNIT, re.sub(r"(?m)^[ \t]+|[ \t]+$", "", text))
            elif len(layout.delimiter) > 1:
                text = text.replace(layout.delimiter, _UNIT)
            if text:
                yield text
        yield _END + "\n"
