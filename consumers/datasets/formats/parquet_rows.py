"""Read Parquet as rows, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from consumers.datasets.fields.row_parser import Row
from consumers.datasets.formats.layout import each_once
from consumers.datasets.formats.unpacking import UNREADABLE

_BATCH = 8192


class ParquetRows:
    """The rows of a Parquet file. After reading, `cut` says why the file was not read to its end, or None."""

    def __init__(self, path: Path) -> None:
        self._path = path
        schema = pq.read_schema(path)
        self.names = each_once(list(schema.names))
        self.inner = [
            f"{name}.{kind.field(n).name}"
            for name, kind in zip(self.names, schema.types, strict=True)
            if pa.types.is_struct(kind)
            for n in range(kind.num_fields)
        ]
        self.description = "Parquet"
        self.cut: str | None = None
        self._done = 0.0

    @property
    def position(self) -> int:
        return int(self._done * self._path.stat().st_size)

    def rows(self, wanted: Sequence[str | None]) -> Iterator[tuple[int, Row | str]]:
        """Yield (row, values of the `wanted` columns). A missing column has None. `user.id` is inside a struct."""
        line, self.cut = 0, None
        outer = {name: name if name in self.names else name.partition(".")[0] for name in wanted if name}
        read = None if any("#" in name for name in self.names) else list(dict.fromkeys(outer.values()))
        try:
            with pq.ParquetFile(self._path) as file:
                total = max(1, file.metadata.num_rows)
                for batch in file.iter_batches(batch_size=_BATCH, columns=read):
                    names = self.names if read is None else batch.schema.names
                    by_name = dict(zip(names, batch.columns, strict=True))
                    got = {name: _values(by_name[column], name, column) for name, column in outer.items()}
                    blank: list[Any] = [None] * batch.num_rows
                    for row in zip(*(got[name] if name else blank for name in wanted), strict=True):
                        line += 1
                        yield line, row
                    self._done = line / total
        except UNREADABLE as error:
            self.cut = str(error)
            yield line + 1, f"unreadable from here on: {error}"
        self._done = 1.0


def _values(column: pa.Array, name: str, outer: str) -> list[Any]:
    """Convert to Python values; times to ms, because Python has no nanoseconds."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", column.type.tz), safe=False)
    values: list[Any] = column.to_pylist()
    if name == outer:
        return values
    for inner in name.split(".")[1:]:
        values = [value.get(inner) if isinstance(value, dict) else None for value in values]
    return values
