"""What users wrote, on a terminal: never markup, never a command to the terminal."""

from __future__ import annotations

from rich.text import Text


def harmless(text: str) -> str:
    """Text without control characters, which a terminal would obey; line ends and tabs stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def joined(*parts: str | tuple[str, str]) -> Text:
    """Parts one after the other, each plain, or (plain, style)."""
    return Text.assemble(*(plain(part) if isinstance(part, str) else plain(*part) for part in parts))


def plain(text: str, style: str = "") -> Text:
    """For rich, which would take [brackets] and :words: in a plain string for its own."""
    return Text(harmless(text), style=style)
