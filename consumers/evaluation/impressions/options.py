"""Define the options of `crosscurrent evaluate --impressions`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from models.exposure.examination import RANKS


class ImpressionOptions(msgspec.Struct, frozen=True):
    """The options of `evaluate` on logged impressions."""

    file: Path
    policies: tuple[str, ...]
    """As in `policies.parse_policy`."""
    target: str | None = None
    """The domain that is valued; None: all. The impressions of the others still tell the examination curve."""
    curve: str = "learned"
    """As in `curves.parse_curve`."""
    top: int = RANKS
    """The first places that are valued, of logged lists as of others'."""
