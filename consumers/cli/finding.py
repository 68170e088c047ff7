"""One line of the report of `crosscurrent check`."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """What was checked, and the result."""

    what: str
    good: bool
    detail: str
    warns: bool = False
    """A start would succeed, but something will go wrong later."""
