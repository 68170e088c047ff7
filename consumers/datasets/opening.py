"""Open several files together: the options for columns hold for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from consumers.datasets.options import ReadOptions
from consumers.datasets.problems import NoDomainError, TableError
from consumers.datasets.table_file import TableFile
from consumers.errors import Stop
from consumers.events.record import Kind


def open_tables(
    paths: Sequence[Path],
    domain: str | None,
    options: ReadOptions,
    expected: Sequence[Kind | None] = (),
    otherwise: str | None = None,
) -> list[TableFile]:
    """Open the files, without reading them. A column that `options` names need not be in all of them.

    expected: what each file must hold, if known. otherwise: the domain of all rows of a file without a domain column.
    Raises TableError for a file that cannot be understood, and if no file has a column that was named.
    """
    kinds = list(expected) or [None] * len(paths)
    tables = [_open(path, domain, options, kind, otherwise) for path, kind in zip(paths, kinds, strict=True)]
    for field, column in options.columns.items():
        if column and not any(column in table.names for table in tables):
            there = "; ".join(f"{table.path}: {', '.join(table.names[:30])}" for table in tables)
            raise TableError(f"--map {field}={column}: there is no column {column}; there are {there}")
    return tables


def _open(
    path: Path, domain: str | None, options: ReadOptions, kind: Kind | None, otherwise: str | None
) -> TableFile:
    try:
        table = TableFile(path, domain, options, kind)
    except NoDomainError:
        if otherwise is None:
            raise
        table = TableFile(path, otherwise, options, kind)
    if kind is not None and table.kind != kind:
        raise Stop(f"--{kind} {path}: this file holds {table.kind}")
    return table
