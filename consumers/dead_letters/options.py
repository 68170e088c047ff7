"""Define the options of `crosscurrent dead-letters replay`."""

from __future__ import annotations

import msgspec


class ResendOptions(msgspec.Struct, frozen=True):
    """How letters are sent back. force: also those that would become dead letters again."""

    dry_run: bool = False
    force: bool = False
