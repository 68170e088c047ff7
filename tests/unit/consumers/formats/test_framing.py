"""The frame before a body holds the schema's id, and Protobuf's message index."""

from __future__ import annotations

import pytest

from consumers.events.rejection import Rejected
from consumers.formats.framing import message_index, schema_id
from tests.support.log.formats import Topic


def test_the_id() -> None:
    """The id has four bytes, the highest first; the body may be empty."""
    assert schema_id(b"\0\0\0\1\2") == 258
    assert schema_id(b"\0\xff\xff\xff\xffbody") == 2**32 - 1


@pytest.mark.parametrize("data", [b"", b"\0\0\0\1", b"\1\0\0\0\1x", b'{"a": 1}'])
def test_no_id(data: bytes) -> None:
    """A value that is too short, or has another first byte, is rejected without a guess."""
    with pytest.raises(Rejected) as caught:
        schema_id(data)
    assert caught.value.reason == "not_framed"
    assert caught.value.detail.endswith("allowed: a zero byte, then the schema's id in 4 bytes")


@pytest.mark.parametrize(
    ("index", "path"),
    [(b"\0", (0,)), (b"\2\0", (0,)), (b"\2\6", (3,)), (b"\4\2\0", (1, 0)), (b"\2\x80\2", (128,))],
)
def test_the_message_index(index: bytes, path: tuple[int, ...]) -> None:
    """The index is zigzag numbers, their count first; one zero byte means the first message."""
    assert message_index(b"\0\0\0\0\1" + index + b"body") == (path, 5 + len(index))


@pytest.mark.parametrize("index", [b"", b"\2", b"\x80", b"\xff" * 20, b"\1", b"\xfe\1"])
def test_a_bad_message_index(index: bytes) -> None:
    """A message index that does not end, or has too many levels, is rejected."""
    with pytest.raises(Rejected) as caught:
        message_index(b"\0\0\0\0\1" + index)
    assert caught.value.reason == "malformed_body"


def test_framed_json_needs_no_registry() -> None:
    """Framed JSON is read without its schema, so an unknown id does not matter."""
    topic = Topic(interactions={"format": "json_schema", "fields": {"user_id": "uid"}})
    found = topic.event(b'\0\0\0\0\x09{"type": "click", "uid": 7, "item_id": "i"}')
    assert (found.user, found.item) == ("7", "i")  # type: ignore[union-attr]
    assert topic.event(b'{"type": "click"}').reason == "not_framed"  # type: ignore[union-attr]
