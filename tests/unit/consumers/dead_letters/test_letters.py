"""Dead letters are shown with ids, as text or hex, and selected by filters."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from consumers.dead_letters.overview import (
    Group,
    LetterLine,
    Overview,
    hex_dump,
    print_overview,
    readable,
    shown,
)
from consumers.dead_letters.resend import Wanted
from consumers.dead_letters.topic_reader import Letter, parse_id
from consumers.errors import USAGE, Stop

HEADERS = {"reason": "bad_id", "topic": "t", "partition": "1", "offset": "9", "timestamp": "1700000000000"}


def letter(headers: dict[str, str] = HEADERS, key: bytes | None = b"k", value: bytes | None = b"v") -> Letter:
    return Letter((0, 17), 1_800_000_000_000, headers, key, value)


def test_ids() -> None:
    """An id is written and read as `partition:offset`."""
    assert parse_id("0:17") == (0, 17)
    assert letter().name == "0:17"


@pytest.mark.parametrize("text", ["", "17", "0:", ":1", "a:1", "0:1:2", "-1:5", "0:1.5", "0: 1"])
def test_anything_else_is_no_id(text: str) -> None:
    """A bad id is exit code 2, and the line shows the form of an id."""
    with pytest.raises(Stop, match="partition:offset") as caught:
        parse_id(text)
    assert caught.value.code == USAGE


def test_hex_dump() -> None:
    """A dump shows offset, sixteen bytes a line, and printable ASCII; a short last line is padded."""
    lines = hex_dump(bytes(range(0x3C, 0x4E))).splitlines()
    assert lines[0] == "00000000  3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49 4a 4b  <=>?@ABCDEFGHIJK"
    assert lines[1] == "00000010  4c 4d" + " " * 42 + "  LM"


def test_readable() -> None:
    """UTF-8 is shown as text, other bytes as a dump, no value as null, and never control characters."""
    assert readable("naïve\n".encode()) == "naïve\n"
    assert readable(b"\x1b[2Jboo\x00") == "\\x1b[2Jboo\\x00"
    assert readable(b"\xff") == "00000000  ff" + " " * 45 + "  ."
    assert readable(None) == "null"


def test_shown_bytes_are_text_or_hex() -> None:
    """The figures fit into JSON: text, or hexadecimal digits under another name."""
    got = shown(letter(key=None, value=b"\xff\x00"))
    assert got == {"id": "0:17", "headers": HEADERS, "key": None, "value_hex": "ff00"}


def test_headers_are_shown_as_they_are() -> None:
    """Brackets are no markup, and a terminal gets no control characters."""
    console = Console(file=io.StringIO(), width=200)
    found = Overview(
        [],
        [Group("[/red]", "0", "\x1b[2J", 1)],
        [LetterLine("0:1", "[bold]:0:1", "bad_id", "[red]user_id", 0, 1, False, False)],
    )
    print_overview(found, console)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[/red]" in said
    assert "[red]user_id" in said
    assert "[bold]:0:1" in said
    assert "\\x1b[2J" in said
    assert "\x1b[2J" not in said


def test_times() -> None:
    """A letter has the source record's time, or its own if the log kept none."""
    assert letter().source_ms == 1_700_000_000_000
    assert letter(HEADERS | {"timestamp": "-1"}).source_ms == 1_800_000_000_000
    assert letter({}).source_ms == 1_800_000_000_000


def test_wanted() -> None:
    """Every filter given must hold; none given takes all."""
    assert Wanted()(letter())
    assert Wanted("bad_id", "t", frozenset({(0, 17)}))(letter())
    assert not Wanted("not_utf8")(letter())
    assert not Wanted(topic="u")(letter())
    assert not Wanted("bad_id", ids=frozenset({(0, 18)}))(letter())
