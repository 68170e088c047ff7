"""What can be wrong with a table: one row of it, or the file as a whole."""

from __future__ import annotations

import msgspec

from consumers.errors import Stop


class BadRow(msgspec.Struct, frozen=True):
    """A row that gives no record. `line` counts from 1 (in Parquet, the row; in a JSON array, the object)."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class BadRowError(Exception):
    """Why this row gives no record. The message names the field, what it holds, and what is allowed."""


class TableError(Stop):
    """The file as a whole cannot be read; the message says what to do."""


class NoDomainError(TableError):
    """No column tells the domain, and nobody has named it."""
