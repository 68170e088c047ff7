"""Show users' text on a terminal, never as markup and never as a command to the terminal."""

from __future__ import annotations

from rich.text import Text


def harmless(text: str) -> str:
    """Remove control characters, which a terminal would obey; line ends and tabs stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def joined(*parts: str | tuple[str, str]) -> Text:
    """Join parts, each plain or (plain, style)."""
    return Text.assemble(*(plain(part) if isinstance(part, str) else plain(*part) for part in parts))


def plain(text: str, style: str = "") -> Text:
    """Wrap a string for rich, which would read [brackets] and :words: in a bare string as markup."""
    return Text(harmless(text), style=style)
