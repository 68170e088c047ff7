"""Keep the vectors of known texts on disk, so that a start does not encode them again."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

FILE = "vectors.sqlite"
WAIT_SECONDS = 5.0
"""How long to wait for another process that writes: `change-encoder` may fill the cache while the service runs."""
ROW_BYTES = 64
"""Bytes of a row besides its vector, about."""
MOST_KEYS = 500
"""Keys in one question; SQLite allows a limited number of parameters."""
DAMAGED = ("malformed", "not a database", "encrypted")

Vector = NDArray[np.float32]
_Result = TypeVar("_Result")
log = structlog.get_logger()


def text_key(identity: str, text: str) -> bytes:
    """Return the key of a text. identity: of the encoder. The text itself is not stored."""
    return hashlib.blake2b(f"{identity}\0{text}".encode(errors="surrogatepass"), digest_size=16).digest()


class VectorCache:
    """A table of vectors by `text_key` in one SQLite file. With too many, the oldest go.

    Several processes may use it. It holds nothing that cannot be had again: if the disk fails, texts are encoded
    again, and a damaged file is removed.
    """

    def __init__(self, folder: Path, megabytes: float) -> None:
        """folder: is made when the first vector is kept."""
        self._path = folder / FILE
        self._bytes = megabytes * 1e6
        self._told = False

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """Return the vectors that are known."""
        if not self._path.exists():
            return {}

        def read(table: sqlite3.Connection) -> dict[bytes, Vector]:
            found: dict[bytes, Vector] = {}
            for start in range(0, len(keys), MOST_KEYS):
                some = keys[start : start + MOST_KEYS]
                marks = ",".join("?" * len(some))
                rows = table.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", some)  # noqa: S608
                found |= {key: np.frombuffer(vector, np.float32) for key, vector in rows}
            return found

        return self._safely(read, {})

    def put(self, vectors: Mapping[bytes, Vector]) -> None:
        """Keep vectors, and remove the oldest if there are too many."""
        if not vectors:
            return
        rows = [(key, vector.astype(np.float32).tobytes()) for key, vector in vectors.items()]
        most = max(1, int(self._bytes / (ROW_BYTES + len(rows[0][1]))))

        def write(table: sqlite3.Connection) -> None:
            with table:
                table.executemany("INSERT OR REPLACE INTO vectors (key, vector) VALUES (?, ?)", rows)
                (count,) = table.execute("SELECT count(*) FROM vectors").fetchone()
                if count > most:
                    table.execute(
                        "DELETE FROM vectors WHERE place IN (SELECT place FROM vectors ORDER BY place LIMIT ?)",
                        (count - most,),
                    )

        self._safely(write, None)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=WAIT_SECONDS)) as table:
            table.execute("PRAGMA journal_mode = WAL")
            table.execute("PRAGMA synchronous = NORMAL")
            table.execute(
                "CREATE TABLE IF NOT EXISTS vectors (place INTEGER PRIMARY KEY, key BLOB UNIQUE, vector BLOB)"
            )
            yield table

    def _safely(self, work: Callable[[sqlite3.Connection], _Result], otherwise: _Result) -> _Result:
        """Return what `work` returns; `otherwise` if the disk fails."""
        try:
            with self._opened() as table:
                return work(table)
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.DatabaseError) and any(word in str(error) for word in DAMAGED):
                self._remove()
            if not self._told:
                self._told = True
                log.warning(
                    "vectors of known texts cannot be kept or read; texts are encoded again",
                    file=str(self._path),
                    error=str(error),
                )
            return otherwise

    def _remove(self) -> None:
        for end in ("", "-wal", "-shm"):
            self._path.with_name(FILE + end).unlink(missing_ok=True)
