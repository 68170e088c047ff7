"""Delimited text as cells, line by line."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator

_QUOTED_LINES = 20  # lines a quoted cell may span before its quote counts as never closed


def cells_of(line: str, separator: str, strict: bool = False) -> list[str]:
    if '"' not in line or len(separator) > 1:
        return line.split(separator)
    return next(csv.reader([line], delimiter=separator, strict=strict))


def split_lines(file: Iterator[str], separator: str) -> Iterator[tuple[int, list[str] | str]]:
    """Line number and cells, or a reason. Unlike with a csv.reader, an open quote costs one line only."""
    again: deque[str] = deque()
    number = 0
    while line := again.popleft() if again else next(file, ""):
        number += 1
        if '"' not in line:
            yield number, line.rstrip("\r\n").split(separator)
            continue
        lines = [line]
        while True:
            try:
                yield number, cells_of("".join(lines).rstrip("\r\n"), separator, strict=True)
            except csv.Error as error:
                if "unexpected end" not in str(error):
                    yield number, cells_of("".join(lines).rstrip("\r\n"), separator)
                elif len(lines) < _QUOTED_LINES and (more := again.popleft() if again else next(file, "")):
                    lines.append(more)
                    continue
                else:
                    yield number, "a quote is opened and not closed"
                    again.extendleft(reversed(lines[1:]))
                    break
            number += len(lines) - 1
            break
