"""Read the head of a delimited file: its separator, its header, and the lines before it."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from consumers.datasets.fields.columns import is_known
from consumers.datasets.problems import TableError

BLANKS = " "
"""A separator of one or more blanks."""

_CANDIDATES = ("\t", ",", ";", "|")
_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*")
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "|", BLANKS: "blanks"}

# Tables without a header, recognised by separator and number of columns, and by the file's name where several
# match. MovieLens 1M, 10M and 100k.
_RATINGS = ("user_id", "item_id", "rating", "timestamp")
_U_ITEM = ("item_id", "title", "released", "video", "url", *(f"genre {n}" for n in range(19)))
_BARE: tuple[tuple[str, int, str, tuple[str, ...]], ...] = (
    ("::", 4, ".*", _RATINGS),
    ("::", 3, ".*", ("item_id", "title", "genres")),
    ("\t", 4, r"u\.data|u[1-5ab]\.(base|test)", _RATINGS),
    ("|", 24, r"u\.item", _U_ITEM),
)


class Layout(NamedTuple):
    """How a delimited file is cut into cells."""

    delimiter: str
    names: list[str]
    """One name a column, each once; without a header, numbers from 0."""
    header: bool
    before: int
    """Lines before the header or the first row: blank ones, comments, `sep=;`."""
    comments: str
    """The beginning of a comment line, or ""."""
    note: str = ""
    """Where the names come from, if not from a header."""

    @property
    def description(self) -> str:
        cells = f"{_NAMES.get(self.delimiter, repr(self.delimiter))} between cells"
        return f"{cells}, {self.note}" if self.note else cells


def layout_of(path: Path, head: str, delimiter: str | None, mapped: list[str]) -> Layout:
    """Recognise the layout from the file's beginning. `mapped`: the columns that options name.

    Raises TableError if the separator is unclear, or if the first line is neither a header nor known.
    """
    lines = head.split("\n")
    before, comments, said = _before(lines)
    if before == len(lines):
        raise TableError(f"{path}: the file is empty")
    first = lines[before]
    delimiter = delimiter or said or _delimiter(path, first, [x for x in lines[before:] if x.strip()])
    cells = cells_of(first, delimiter, lines[before + 1 :])
    if comments and not any(map(is_known, cells)):
        above = cells_of(lines[before - 1].lstrip(comments).strip(), delimiter)
        if len(above) == len(cells) and any(map(is_known, above)):  # the header is a comment
            return Layout(delimiter, each_once(above), False, before, comments, "names in a comment")
    if mapped and all(column.isdecimal() for column in mapped) and not set(mapped) <= set(cells):
        bare = _holds_values(cells)
        names = list(map(str, range(len(cells)))) if bare else _by_number(cells, mapped)
        return Layout(delimiter, names, not bare, before, comments, "columns by number")
    if any(column in cells for column in mapped) or any(map(is_known, cells)):
        return Layout(delimiter, each_once(cells), True, before, comments)
    for separator, width, name, names_ in _BARE:
        if (separator, width) == (delimiter, len(cells)) and re.fullmatch(name, _plain_name(path)):
            return Layout(delimiter, list(names_), False, before, comments, "no header: read as MovieLens's")
    if len(cells) == 1:
        raise TableError(
            f"{path}: one column only, {first[:80]!r}: say what is between cells, as in --delimiter '^'"
        )
    if _holds_values(cells):
        numbered = ", ".join(f"{n}: {cell.strip()[:20]}" for n, cell in enumerate(cells[:12]))
        raise TableError(
            f"{path}: the first line holds values, not names ({numbered}); say which column is which, as in "
            "--map user_id=0 --map item_id=1"
        )
    return Layout(delimiter, each_once(cells), True, before, comments)


def cells_of(line: str, delimiter: str, more: list[str] | None = None) -> list[str]:
    """Return the stripped cells of one row; a quoted cell may continue in the lines of `more`."""
    if delimiter == BLANKS:
        return line.split()
    if len(delimiter) > 1:
        return [cell.strip() for cell in line.split(delimiter)]
    rows = csv.reader((x + "\n" for x in (line, *(more or ()))), delimiter=delimiter)
    try:
        return [cell.strip() for cell in next(rows)]
    except csv.Error:  # a cell above 128 KB
        return [cell.strip() for cell in line.split(delimiter)]


def _before(lines: list[str]) -> tuple[int, str, str | None]:
    """Return (lines before the table, beginning of a comment, separator that a line `sep=;` names)."""
    before, comments, said = 0, "", None
    for line in lines:
        told = re.fullmatch(r'"?sep=(.|\\t)"?', line.strip(" \ufeff"), re.IGNORECASE)
        if told is not None and said is None:
            said = "\t" if told[1] == "\\t" else told[1]
        elif line[:1] in ("#", "%"):
            comments = line[0]
        elif line.strip():
            break
        before += 1
    return before, comments, said


def _delimiter(path: Path, first: str, lines: list[str]) -> str:
    """Return the separator that yields the most columns we know; failing that, the most columns that rows have too."""
    if "::" in first and (any(map(is_known, first.split("::"))) or not any(map(is_known, first.split(",")))):
        return "::"
    doubled = [d * 2 for d in _CANDIDATES if d * 2 in first and d not in first.replace(d * 2, "")]
    if len(doubled) == 1 and any(map(is_known, first.split(doubled[0]))):
        return doubled[0]
    split = {d: cells_of(first, d, lines[1:]) for d in _CANDIDATES}
    known = Counter({d: sum(map(is_known, cells)) for d, cells in split.items() if len(cells) > 1})
    ranked = known.most_common()
    if ranked and ranked[0][1]:
        best = [d for d, n in ranked if n == ranked[0][1]]
    else:
        widths = {d: len(cells) for d, cells in split.items() if len(cells) > 1}
        steady = [d for d, n in widths.items() if all(len(cells_of(x, d)) == n for x in lines[1:5])]
        most = max((widths[d] for d in steady or widths), default=0)
        best = [d for d in steady or widths if widths[d] == most]
    if len(best) > 1:
        raise TableError(
            f"{path}: cells may be separated by {' or by '.join(_NAMES[d] for d in best)}: say which, as in "
            f"--delimiter '{best[0]}'"
        )
    if best:
        return best[0]
    words = first.split()
    if len(words) > 1 and (
        any(map(is_known, words)) or all(len(x.split()) == len(words) for x in lines[1:5])
    ):
        return BLANKS
    return ","  # a single column


def _holds_values(cells: list[str]) -> bool:
    """Return whether this is a row and not a header: no column is called 4 or 1260759144."""
    return any(_NUMBER.fullmatch(cell) for cell in cells)


def _by_number(cells: list[str], mapped: list[str]) -> list[str]:
    """Return the header's names, but numbers for the columns that options name by number."""
    return [str(n) if str(n) in mapped else name for n, name in enumerate(each_once(cells))]


def each_once(names: list[str]) -> list[str]:
    """Number names that occur twice, as `rating#1` and `rating#2`: neither is used unless an option names it."""
    names = [name or f"column {n}" for n, name in enumerate(names)]
    count = Counter(names)
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(f"{name}#{seen[name]}" if count[name] > 1 else name)
    return out


def _plain_name(path: Path) -> str:
    return re.sub(r"\.(gz|bz2|xz|zst|lz4|zip)$", "", path.name.lower())
