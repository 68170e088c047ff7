"""What can be set of the learners."""

from __future__ import annotations

from typing import Literal

import msgspec


class LearnerSettings(msgspec.Struct, forbid_unknown_fields=True):
    """Sizes and seed. Rows past a capacity go to the most recently seen; about 4 KB a user."""

    users: int = 100_000
    """Users with a row; the least recently seen give way."""
    seen_items: int = 256
    """Items that users have had, on average over all rows of `users`, 8 bytes each: one may have 2,000 a domain.
    Past that the least recently seen users give way too."""
    items_per_domain: int = 200_000
    """Items with a row, in each domain; the least recently seen give way."""
    seed: int = 0
    """Seed of all random draws."""
    compare: bool = True
    """Run a target-only learner beside the full one for every target: transfer gain needs it."""
    threads: int = 2
    """Computing threads of the ranker; what is learned does not depend on their number."""
    exact_items: int = 1000
    """In a domain with more items, an approximate index finds the nearest ones to a user; scores stay exact."""


class RankerSettings(msgspec.Struct, forbid_unknown_fields=True):
    """How lists are put together from the ranker's scores."""

    diversity: float = 0.0
    """0: by score alone; up to 1: items unlike those above them come first."""


class AdaptationSettings(msgspec.Struct, forbid_unknown_fields=True):
    """How targets are adapted to their sources, and to drift."""

    strategy: Literal["auto", "none", "share", "correct", "adversarial", "coral"] = "auto"
    """What carries sources into targets; `auto` begins by measured divergence and goes on by prequential evidence."""
    enabled: bool = True
    """Answer drifts."""


class LearningSettings(LearnerSettings, forbid_unknown_fields=True):
    """All that is set of a learner: one value, so that learners side by side cannot differ in part of it."""

    ranker: RankerSettings = msgspec.field(default_factory=RankerSettings)
    adaptation: AdaptationSettings = msgspec.field(default_factory=AdaptationSettings)
