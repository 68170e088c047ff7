"""Pack published weights as records: all dense weights, rows of items, the basis of texts; with a version in front."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.settings import Strategy
from models.sharing.envelope import Envelope

MAGIC, VERSION = b"CCN", 1
"""Every record begins with these three bytes and one byte of the version."""
MOST_BYTES = 256_000_000
"""The largest record, unpacked, that is read."""


class WeightsError(ValueError):
    """A record is no record of weights, or of a version that this program does not know."""


_ENVELOPE = Envelope(
    MAGIC, VERSION, MOST_BYTES, "weights", "the model", "all shards and the network", WeightsError
)


class Array(msgspec.Struct, array_like=True):
    """An array of float32: its shape and its little-endian bytes."""

    shape: tuple[int, ...]
    data: bytes

    def numpy(self) -> NDArray[np.float32]:
        return np.frombuffer(self.data, "<f4").reshape(self.shape)


def array(values: NDArray[Any]) -> Array:
    """Return the values as they are packed."""
    return Array(values.shape, np.ascontiguousarray(values, "<f4").tobytes())


class Dense(msgspec.Struct, array_like=True, tag="dense"):
    """All weights but the rows of items. at: Unix ms of the publication. domains: their names, in their order.

    steps, skipped: of the network; `steps` is the `model` of everything published from these weights. events: learned,
    by domain. divergence: by target and source.
    """

    at: int
    domains: list[str]
    steps: int
    skipped: int
    events: list[int]
    kappa: list[float]
    strategy: list[Strategy]
    divergence: dict[int, dict[int, float]]
    packed: dict[str, Array]

    @property
    def parameters(self) -> dict[str, NDArray[np.float32]]:
        """The parameters by name."""
        return {name: one.numpy() for name, one in self.packed.items()}


class PublishedRows(msgspec.Struct):
    """Rows of the publisher's table. row: (n,) their numbers. domain: (n,) of the item that owns each, -1 for none.

    ids: of the owners, without a place for free rows. values: (n, dim). domains: names.
    """

    domains: list[str]
    row: NDArray[np.int64]
    domain: NDArray[np.int64]
    ids: list[str]
    values: NDArray[np.float32]


class _Rows(msgspec.Struct, array_like=True, tag="rows"):
    domains: list[str]
    row: bytes
    domain: bytes
    ids: list[str]
    values: Array


class Texts(msgspec.Struct, array_like=True, tag="texts"):
    """The basis that item vectors are projected on; see `TextBasis.live`."""

    mean: Array
    columns: Array
    claims: dict[str, dict[str, Any]]


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Dense | _Rows | Texts] = msgspec.msgpack.Decoder(Dense | _Rows | Texts)


def pack(one: Dense | PublishedRows | Texts) -> bytes:
    """Return what is published as one record."""
    body: Dense | _Rows | Texts
    if isinstance(one, PublishedRows):
        row, domain = one.row.astype("<u4").tobytes(), one.domain.astype("|i1").tobytes()
        body = _Rows(one.domains, row, domain, one.ids, array(one.values))
    else:
        body = one
    return _ENVELOPE.pack(_encoder.encode(body))


def unpack(record: bytes) -> Dense | PublishedRows | Texts:
    """Return what a record holds. Raises WeightsError."""
    return _ENVELOPE.unpack(record, _body)


def _body(data: bytes) -> Dense | PublishedRows | Texts:
    body = _decoder.decode(data)
    return _rows(body) if isinstance(body, _Rows) else body


def _rows(body: _Rows) -> PublishedRows:
    row = np.frombuffer(body.row, "<u4").astype(np.int64)
    domain = np.frombuffer(body.domain, "|i1").astype(np.int64)
    values = body.values.numpy()
    if not len(row) == len(domain) == len(values) or len(body.ids) != int((domain >= 0).sum()):
        raise ValueError("its columns have different lengths")
    return PublishedRows(body.domains, row, domain, body.ids, values)
