"""Unpack a file: gzip, bzip2, xz, Zstandard, LZ4, zip. Refuse what holds no table."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from consumers.datasets.formats.foreign import refuse_foreign, refuse_office
from consumers.datasets.problems import TableError

UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pa.ArrowException)
"""The errors of a file that is missing, damaged or cut off."""

_HEAD = 512
_PACKINGS = 3  # a .csv.gz in a .zip is packed twice


class Unpacked:
    """The bytes of a file, unpacked while they are read. `raw` is the file itself, which tells how far it was read."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises TableError for one that holds no table, one of `UNREADABLE` for an unreadable one."""
        self.raw = path.open("rb")
        self.packings: list[str] = []
        self._layers = [self.raw]
        try:
            file = self.raw
            for _ in range(_PACKINGS):
                inner = self._inside(path, file)
                if inner is None:
                    break
                self._layers.append(inner)
                file = inner
            self.file = file
            self.head = file.peek(_HEAD)[:_HEAD]
            refuse_foreign(path, self.head)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for layer in reversed(self._layers):
            layer.close()

    def _inside(self, path: Path, file: io.BufferedReader) -> io.BufferedReader | None:
        head = file.peek(8)[:8]
        inner: Any
        if head.startswith(b"\x1f\x8b"):
            name, inner = "gzip", gzip.GzipFile(fileobj=file)
        elif head.startswith(b"BZh"):
            name, inner = "bzip2", bz2.BZ2File(file)
        elif head.startswith(b"\xfd7zXZ\x00"):
            name, inner = "xz", lzma.LZMAFile(file)  # noqa: SIM115  closed with what reads it
        elif head.startswith(b"\x28\xb5\x2f\xfd"):
            name, inner = "zstd", pa.CompressedInputStream(file, "zstd")
        elif head.startswith(b"\x04\x22\x4d\x18"):
            name, inner = "lz4", pa.CompressedInputStream(file, "lz4")
        elif head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            name, inner = "zip", _only_member(path, file)
        else:
            return None
        self.packings.append(name)
        return io.BufferedReader(_Steady(inner), 1 << 16)


class _Steady(io.RawIOBase):
    """A stream that hands out all bytes it has before it reports the end, also of a file that is cut."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._read = getattr(inner, "read1", inner.read)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._inner.close()
        super().close()


def _only_member(path: Path, file: io.BufferedReader) -> IO[bytes]:
    archive = zipfile.ZipFile(file)
    names = [n for n in archive.namelist() if not n.endswith("/")]
    refuse_office(path, names)
    names = [n for n in names if not n.startswith("__MACOSX/") and not Path(n).name.startswith(".")]
    if len(names) != 1:
        held = (
            f"{len(names)} files ({', '.join(names[:8])}{', …' if len(names) > 8 else ''})"
            if names
            else "no file"
        )
        raise TableError(f"{path}: the archive holds {held}; unpack it and name the tables: unzip {path}")
    try:
        return archive.open(names[0])
    except (RuntimeError, NotImplementedError) as error:  # it has a password, or an unknown kind of packing
        raise TableError(f"{path}: {error}; unpack it first: unzip {path}") from None
