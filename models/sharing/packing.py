"""Pack a micro-batch of facts as one record: columns of numbers, with a version in front, compressed."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.sharing.envelope import Envelope
from models.sharing.shared_facts import Bias, Latest, Rated, SharedFacts, SharedMoves, Shows

MAGIC, VERSION = b"CCF", 1
"""Every record begins with these three bytes and one byte of the version."""
MOST_BYTES = 64_000_000
"""The largest record, unpacked, that is read."""


class FactsError(ValueError):
    """A record is no record of facts, or of a version that this program does not know."""


_ENVELOPE = Envelope(MAGIC, VERSION, MOST_BYTES, "facts", "facts", "all shards", FactsError)


class _Moves(msgspec.Struct, array_like=True):
    """The fields of `SharedMoves`. moves: by name, the number of columns and the numbers of 16 bits.

    shows: the fields of `Shows`, with columns as bytes.
    """

    shard: int
    number: int
    moves: dict[str, tuple[int, bytes]]
    biases: list[tuple[str, dict[str, tuple[float, float]]]] = []
    shows: list[tuple[str, list[str], bytes, bytes, bytes]] = []
    shown: list[tuple[str, int, int]] = []


class _Body(msgspec.Struct, array_like=True):
    """The fields of `SharedFacts`; columns are the bytes of little-endian numbers, row after row."""

    sources: list[tuple[str, int]]
    domains: list[str]
    ids: list[list[str]]
    context: dict[int, tuple[str, ...]]
    events: int
    arms: int
    taste: int
    """The length k of a taste."""
    columns: list[bytes]
    moves: _Moves | None = None


_encoder, _decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(_Body)
_TYPES = ("<u2", "<i8", "|i1", "<u4", "<i8", "<u4", "<f4", "|u1")
_LATEST_TYPES = ("|u1", "|i1", "<u4", "<f2")
_SHOWS_TYPES = ("<f4", "<f4", "<u4")
_RATED_TYPES = ("<u4", "<f8", "<f4", "<f4", "<f4", "<f2")


def pack(facts: SharedFacts) -> bytes:
    """Return the facts as one record."""
    own = (
        facts.source,
        facts.offset,
        facts.domain,
        facts.item,
        facts.time,
        facts.events,
        facts.losses,
        facts.rank,
    )
    columns = [
        np.ascontiguousarray(column, kind).tobytes()
        for column, kind in zip((*own, *facts.latest, *facts.rated), _ALL_TYPES, strict=True)
    ]
    arms, taste = facts.losses.shape[1], facts.rated.taste.shape[2]
    body = _Body(
        facts.sources, facts.domains, facts.ids, facts.context, facts.size, arms, taste, columns, _packed(facts.moves)
    )  # fmt: skip
    return _ENVELOPE.pack(_encoder.encode(body))


def unpack(record: bytes) -> SharedFacts:
    """Return the facts of a record. Raises FactsError."""
    return _ENVELOPE.unpack(record, lambda body: _facts(_decoder.decode(body)))


_ALL_TYPES = (*_TYPES, *_LATEST_TYPES, *_RATED_TYPES)


def _facts(body: _Body) -> SharedFacts:
    columns = [np.frombuffer(column, kind) for column, kind in zip(body.columns, _ALL_TYPES, strict=True)]
    source, offset, domain, item, time, events, losses, rank = columns[:8]
    latest = Latest(*columns[8:12])
    event, value, external, residual, lesson, taste = columns[12:]
    rated = Rated(
        event, value, external, residual, lesson.reshape(-1, 2, 2), taste.reshape(len(event), 2, body.taste)
    )
    _check(body, (source, offset, domain, item, time, events, latest.lengths), latest)
    return SharedFacts(
        body.sources, source, offset, body.domains, body.ids, domain, item, time, events, latest, rated,
        losses.reshape(body.events, body.arms), rank.reshape(body.events, body.arms), body.context,
        _unpacked(body.moves),
    )  # fmt: skip


def _packed(moves: SharedMoves | None) -> _Moves | None:
    if moves is None:
        return None
    arrays = {name: (one.shape[1], one.astype("<f2").tobytes()) for name, one in moves.moves.items()}
    shows = []
    for domain, ids, *columns in moves.shows:
        packed = [np.asarray(c, kind).tobytes() for c, kind in zip(columns, _SHOWS_TYPES, strict=True)]
        shows.append((domain, ids, packed[0], packed[1], packed[2]))
    biases = [(one.domain, one.weights) for one in moves.biases]
    return _Moves(moves.shard, moves.number, arrays, biases, shows, list(moves.shown))


def _unpacked(moves: _Moves | None) -> SharedMoves | None:
    if moves is None:
        return None
    arrays = {
        name: np.frombuffer(data, "<f2").reshape(-1, width) for name, (width, data) in moves.moves.items()
    }
    biases = [Bias(*one) for one in moves.biases]
    return SharedMoves(moves.shard, moves.number, arrays, biases, _shows(moves), moves.shown)


def _shows(moves: _Moves) -> list[Shows]:
    found = []
    for domain, ids, *columns in moves.shows:
        arrays = [np.frombuffer(column, kind) for column, kind in zip(columns, _SHOWS_TYPES, strict=True)]
        if any(len(column) != len(ids) for column in arrays):
            raise ValueError("its columns have different lengths")
        found.append(Shows(domain, ids, *arrays))
    return found


def _check(body: _Body, columns: tuple[NDArray[Any], ...], latest: Latest) -> None:
    """Raise ValueError unless the columns have equal lengths."""
    items = int(latest.lengths.sum())
    if {len(c) for c in columns} != {body.events} or {len(c) for c in latest[1:]} != {items}:
        raise ValueError("its columns have different lengths")
