"""Sort the interactions of several tables by time, in bounded memory."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO

import msgspec

from consumers.datasets.record import Sent
from consumers.datasets.scan import Scan

_BLOCK = 500  # records of a run that are written and read together
RUN_ROWS = 200_000
"""Rows that are sorted in memory at a time."""


def in_time_order(
    scans: Iterable[Scan],
    show: Callable[[], object] = lambda: None,
) -> tuple[Iterator[Sent], Iterator[Sent], list[str]]:
    """Return (items, interactions of all tables by time, names of the files that had to be sorted).

    Memory is bounded: temporary files hold what does not fit. `show` is called from time to time. Interactions
    without a time come first. Bad rows are left out; the scan has reported them.
    """
    items: list[Iterator[Sent]] = []
    events: list[Iterator[Sent]] = []
    disordered: list[str] = []
    for found in scans:
        records = found.table.records(lambda _: None)
        if found.kind == "items":
            items.append(records)
            continue
        if not found.in_order:
            disordered.append(str(found.table.path))
        events.append(records if found.in_order else sorted_by_time(records, show))
    merged = events[0] if len(events) == 1 else heapq.merge(*events, key=_time)
    return itertools.chain(*items), merged, disordered


def _time(record: Sent) -> int:
    return record.timestamp or 0


def sorted_by_time(
    records: Iterator[Sent], show: Callable[[], object] = lambda: None, run_rows: int = RUN_ROWS
) -> Iterator[Sent]:
    """Yield the records by timestamp; equal timestamps keep their order. Runs after the first go to temporary files."""
    with contextlib.ExitStack() as files:
        runs: list[Iterator[Sent]] = []
        run = sorted(itertools.islice(records, run_rows), key=_time)
        while following := sorted(itertools.islice(records, run_rows), key=_time):
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
