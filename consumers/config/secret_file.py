"""Read secrets from files, so that they need not stand in a config or the environment."""

from __future__ import annotations

from pathlib import Path


def read_secret(path: str) -> str:
    """Return the text of a file, without the white space around it. Raises OSError or ValueError.

    The error says nothing of the content.
    """
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:  # its own text would show the secret
        raise ValueError("not UTF-8 text") from None
