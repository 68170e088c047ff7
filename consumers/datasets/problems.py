"""Define what can be wrong with a table: one row, or the whole file."""

from __future__ import annotations

import msgspec

from consumers.errors import Stop


class BadRow(msgspec.Struct, frozen=True):
    """A row that cannot become a record. `line` counts from 1: lines, rows of Parquet, or objects of a JSON array."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class BadRowError(Exception):
    """This row is no record. The message names the field, what it holds, and what is allowed."""


class TableError(Stop):
    """The whole file cannot be read. The message says what to do."""


class NoDomainError(TableError):
    """No column holds the domain, and no option names it."""
