"""The framing of Confluent's serializers: a zero byte, the schema's id in 4 bytes, and for Protobuf which message."""

from __future__ import annotations

import struct

from consumers.events.rejection import Rejected

HEAD = 5
"""Bytes before the body."""
MOST_LEVELS = 32
"""Deepest level of a message inside other messages."""
_head = struct.Struct(">bI").unpack_from


def schema_id(data: bytes) -> int:
    """Return the id of the schema that the data was written with. Raises Rejected."""
    if len(data) < HEAD or data[0]:
        begins = f"{len(data)} bytes" if len(data) < HEAD else f"a first byte of {data[0]}"
        raise Rejected(
            "not_framed", f"the value: found {begins}, allowed: a zero byte, then the schema's id in 4 bytes"
        )
    return int(_head(data)[1])


def is_framed(data: bytes) -> bool:
    """Return whether the data begins with the id of a schema."""
    return len(data) > HEAD and not data[0]


def message_index(data: bytes) -> tuple[tuple[int, ...], int]:
    """Return which message of the schema's file this is, and the position of its first byte.

    (1, 0) is the first message inside of the second one. Raises Rejected.
    """
    count, at = _varint(data, HEAD)
    if not count:  # short for the first message of the file
        return (0,), at
    if not 0 < count <= MOST_LEVELS:
        raise Rejected("malformed_body", f"the message index: found {count} levels")
    path = []
    for _ in range(count):
        index, at = _varint(data, at)
        path.append(index)
    return tuple(path), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the zigzag number that begins at `at`, and where it ends."""
    number = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
    raise Rejected("malformed_body", "the message index: it does not end")
