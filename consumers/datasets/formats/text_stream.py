"""Read a file as text: decompressed, decoded strictly, line ends as LF. An early end is reported."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

from consumers.datasets.formats.unpacking import UNREADABLE, Unpacked

UNDECODABLE = "\ufdd0"
"""Stands for bytes that are no text in the file's encoding. No text holds it: Unicode reserves it for programs."""

_BLOCK = 1 << 18
_LONGEST_LINE = 1 << 26  # characters; a file with a longer line does not consist of lines
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HANDLER = "crosscurrent.undecodable"
codecs.register_error(_HANDLER, lambda error: (UNDECODABLE, error.end))  # type: ignore[attr-defined]


class TextStream:
    """The text of `path`; each call of `blocks` or `lines` reads it from the beginning.

    `encoding` is None to detect it. After reading, `cut` says why reading ended before the file did, or is None. Raises
    TableError and what `UNREADABLE` lists.
    """

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self.path = path
        self.cut: str | None = None
        self.size = path.stat().st_size
        self._done = 0
        self._open: Unpacked | None = None
        unpacked = Unpacked(path)
        try:
            self.encoding, how = (encoding, "as told") if encoding else _encoding_of(unpacked.head)
            self.packing = " in ".join(reversed(unpacked.packings))
            name = codecs.lookup(self.encoding.removesuffix("-sig")).name.upper()
            self.description = f"{name} {how}".strip() + (f", {self.packing}" if self.packing else "")
        finally:
            unpacked.close()

    @property
    def position(self) -> int:
        """Return how many of the file's `size` bytes have been read."""
        if self._open is None or self._open.raw.closed:
            return self._done
        return self._open.raw.tell()

    def blocks(self) -> Iterator[str]:
        """Yield the text in pieces of about 100 KB."""
        self.cut = None
        decoder = io.IncrementalNewlineDecoder(
            codecs.getincrementaldecoder(self.encoding)(_HANDLER), translate=True
        )
        self._open = unpacked = Unpacked(self.path)
        begun = False
        try:
            while True:
                try:
                    data = unpacked.file.read1(_BLOCK)
                except UNREADABLE as error:
                    self.cut = str(error) or type(error).__name__
                    break
                text = decoder.decode(data, final=not data)
                if text and not begun:
                    text, begun = text.removeprefix("\ufeff"), True
                if text:
                    yield text
                if not data:
                    break
        finally:
            self._done = self.size if self.cut is None else unpacked.raw.tell()
            unpacked.close()

    def whole_lines(self) -> Iterator[str]:
        """Yield pieces that end with a line end, which is added to the last line.

        A file that is cut yields whole lines only.
        """
        rest = ""
        for block in self.blocks():
            head, end, tail = block.rpartition("\n")
            if not end:
                rest += block
                if len(rest) > _LONGEST_LINE:
                    self.cut = f"a line has more than {_LONGEST_LINE:,} characters"
                    return
                continue
            yield rest + head + end
            rest = tail
        if rest and self.cut is None:
            yield rest + "\n"

    def lines(self) -> Iterator[str]:
        """Yield the lines with their ends."""
        for piece in self.whole_lines():
            yield from io.StringIO(piece)

    def head(self, characters: int) -> str:
        """Return the beginning, about that long, and whole lines if there are any."""
        text = ""
        for block in self.blocks():
            text += block
            if len(text) >= characters:
                return text[: text.rfind("\n") + 1] or text
        return text


def _encoding_of(head: bytes) -> tuple[str, str]:
    """Return (codec, how it was found): by the byte order mark, by the position of zero bytes, else UTF-8."""
    for mark, codec in _MARKS:
        if head.startswith(mark):
            return codec, "by its mark"
    sample = head[: len(head) // 2 * 2]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) / 2
    # Text has no zero characters. In UTF-16, the high bytes of ASCII are zero.
    if half and odd > 0.3 * half and even == 0:
        return "utf-16-le", "by its zero bytes"
    if half and even > 0.3 * half and odd == 0:
        return "utf-16-be", "by its zero bytes"
    return "utf-8", ""
