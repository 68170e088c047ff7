"""Define a line of the table."""

from __future__ import annotations

from typing import Literal

import msgspec


class Figure(msgspec.Struct):
    """One line of the table. set: the name of the stream, if there can be several."""

    row: str
    name: str
    value: float | None
    """None if nothing was observed."""
    unit: str
    better: Literal["higher", "lower"]
    set: str = ""
    note: str = ""
