"""What the config changes in the contract of records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from consumers.config.schema import Settings
from models.settings import EventType


class Rules(NamedTuple):
    """What may be in a record.

    max_record_bytes: longest value. any_ids: whether whole numbers are ids too. types: the producer's own types of
    events, by name.
    """

    max_record_bytes: int = 524_288
    any_ids: bool = False
    types: Mapping[str, EventType] = {}

    def allowed_types(self) -> str:
        """Return in words which types an event may have."""
        if not self.types:
            return ALLOWED_TYPES
        *most, last = (f'"{name}"' for name in ("click", "rating", IMPRESSION, *self.types))
        return f"{', '.join(most)} or {last}"


IMPRESSION = "impression"
"""The type of a record that tells what a user was shown."""
ALLOWED_TYPES = '"click", "rating", "impression", or a type of [events] in the config'


def rules_of(settings: Settings) -> Rules:
    """Return what this config changes."""
    return Rules(settings.intake.max_record_bytes, settings.intake.ids == "any", settings.events)
