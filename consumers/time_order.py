"""Interactions of several tables in the order of their time, with bounded memory."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO

import msgspec

from consumers.rows import Sent
from consumers.tables import BadRow, Table, TableError

_LOOK_AHEAD = 10_000  # rows that tell whether a file is in time order
_BLOCK = 500  # records of a run written and read back together
_RUN = 200_000  # rows sorted in memory at a time


def in_time_order(
    tables: Iterable[Table],
    on_bad: Callable[[BadRow], object],
    show: Callable[[], object] = lambda: None,
) -> tuple[Iterator[Sent], Iterator[Sent], list[str]]:
    """(items, interactions of all tables by their time, names of the files that had to be sorted for that).

    A file whose first 10,000 rows are in order is taken to be in order. Memory is bounded: what does not fit is
    sorted by way of temporary files; `show` is called now and then meanwhile. Interactions without a time come
    first. Raises TableError for a table without one readable row.
    """
    items: list[Iterator[Sent]] = []
    events: list[Iterator[Sent]] = []
    disordered: list[str] = []
    for table in tables:
        records, in_order = _begin(table, on_bad)
        if table.kind == "items":
            items.append(records)
            continue
        if not in_order:
            disordered.append(str(table.path))
        events.append(records if in_order else _sorted(records, show))
    merged = events[0] if len(events) == 1 else heapq.merge(*events, key=_time)
    return itertools.chain(*items), merged, disordered


def _begin(table: Table, on_bad: Callable[[BadRow], object]) -> tuple[Iterator[Sent], bool]:
    """The table's records, and whether they seem to be in time order. Raises TableError where there are none."""
    bad: list[BadRow] = []

    def noting(row: BadRow) -> None:
        if not bad:
            bad.append(row)
        on_bad(row)

    records = table.records(noting)
    head = list(itertools.islice(records, _LOOK_AHEAD))
    if not head:
        if table.skipped:
            others = ", ".join(repr(name) for name, _ in table.skipped.most_common(5))
            raise TableError(f"{table.path}: no row is of domain {table.domain!r}; there are {others}")
        raise TableError(str(bad[0]) if bad else f"{table.path}: no rows after the header")
    times = [record.timestamp for record in head if record.timestamp is not None]
    return itertools.chain(head, records), all(a <= b for a, b in itertools.pairwise(times))


def _time(record: Sent) -> int:
    return record.timestamp or 0


def _sorted(records: Iterator[Sent], show: Callable[[], object]) -> Iterator[Sent]:
    """Sorts by timestamp, equal ones in their old order. Sorted runs beyond the first go to temporary files."""
    with contextlib.ExitStack() as files:
        runs: list[Iterator[Sent]] = []
        run = sorted(itertools.islice(records, _RUN), key=_time)
        while following := sorted(itertools.islice(records, _RUN), key=_time):
            file = files.enter_context(tempfile.TemporaryFile(prefix="crosscurrent-replay-"))
            for start in range(0, len(run), _BLOCK):
                block = msgspec.msgpack.encode(run[start : start + _BLOCK])
                file.write(len(block).to_bytes(4, "big") + block)
            file.seek(0)
            runs.append(_blocks(file))
            run = following
            show()
        yield from heapq.merge(*runs, run, key=_time)


def _blocks(file: IO[bytes]) -> Iterator[Sent]:
    decode = msgspec.msgpack.Decoder(list[Sent]).decode
    while size := int.from_bytes(file.read(4), "big"):
        yield from decode(file.read(size))
