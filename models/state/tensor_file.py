"""Read a file of tensors in one pass: into arrays, and for its checksum."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.state.durable_files import PIECE, checksum_like

LENGTH = 8
"""Bytes of the header's length, the first number of a safetensors file."""
DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32, "I16": np.int16,
    "I8": np.int8, "U64": np.uint64, "U32": np.uint32, "U16": np.uint16, "U8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip


class Place(NamedTuple):
    """Where a tensor is: its name, type and shape, and its first byte and the one after its last."""

    name: str
    dtype: type[np.generic]
    shape: tuple[int, ...]
    begin: int
    end: int


def read_tensors(path: Path, like: str) -> tuple[dict[str, NDArray[Any]], str]:
    """Return the tensors of a safetensors file by name, and the checksum of the file, of the kind of `like`.

    The library reads tensors only, and the file would have to be read twice. Raises OSError, and ValueError or KeyError
    for a file that is damaged.
    """
    tensors: dict[str, NDArray[Any]] = {}
    with path.open("rb") as file:
        digest, first = checksum_like(like), _exactly(file, LENGTH)
        size, length = path.stat().st_size, int.from_bytes(first, "little")
        if length > size - LENGTH:
            raise ValueError(f"{path.name}: a header of {length} bytes in a file of {size}")
        header = _exactly(file, length)
        digest.update(first + header)
        for place in _places(header, size - LENGTH - length):
            tensor = tensors[place.name] = np.empty(place.shape, place.dtype)
            flat = tensor.reshape(-1).view(np.uint8)
            for begin in range(0, len(flat), PIECE):
                piece = flat[begin : begin + PIECE]
                if file.readinto(piece.data) != len(piece):
                    raise ValueError(f"{path.name}: ends within {place.name}")
                digest.update(piece.data)
    return tensors, digest.hexdigest()


def _exactly(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) != length:
        raise ValueError("ends within its header")
    return data


def _places(header: bytes, size: int) -> Iterator[Place]:
    """Yield the tensors in the order of the file. size: bytes after the header; the tensors fill them."""
    found: dict[str, Any] = msgspec.json.decode(header)
    found.pop("__metadata__", None)
    at = 0
    for name, one in sorted(found.items(), key=lambda pair: pair[1]["data_offsets"]):
        begin, end = one["data_offsets"]
        place = Place(name, DTYPES[one["dtype"]], tuple(one["shape"]), begin, end)
        if (
            begin != at
            or end > size
            or math.prod(place.shape) * np.dtype(place.dtype).itemsize != end - begin
        ):
            raise ValueError(f"{name} is not where the header says")
        yield place
        at = end
    if at != size:
        raise ValueError(f"{size - at} bytes belong to no tensor")
