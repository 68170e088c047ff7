"""Define the settings of the learners."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

Strategy = Literal["none", "share", "correct", "adversarial", "coral"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
"""The adaptation strategies; `models/transfer/strategies.py` says what each does."""
Arm = Literal["full", "target_only", "text", "popularity"]
ARMS: tuple[Arm, ...] = get_args(Arm)
"""The arms that may make the lists of a target; see `models/arms/arm_selector.py`."""
SINGLE: dict[Arm, str] = {"text": "text", "popularity": "popularity_3d"}
"""The one signal of each arm that ranks by one signal only."""
LEAST_STEP = 256
"""The number of events from which on a step of the network is worth its cost."""


class LearnerSettings(msgspec.Struct, forbid_unknown_fields=True):
    """Sizes and seed. If a table is full, the least recently seen user or item is evicted.

    A user takes 1 to 3 KB, and up to 2 KB more for what they were shown.
    """

    users: int = 100_000
    """The most users with a row."""
    seen_items: int = 256
    """The most seen items that are kept, on average over all rows of `users`, 8 bytes each. With more, the least
    recently seen users are evicted too. One user may have 2,000 a domain."""
    items_per_domain: int = 200_000
    """The most items with a row, in each domain."""
    seed: int = 0
    """Seed of all random draws."""
    compare: bool = True
    """Run a target-only learner beside the full one for every target: transfer gain needs it."""
    threads: int = 2
    """Computing threads. The result does not depend on their number."""
    exact_items: int = 1000
    """In a domain with more items, an approximate index finds the items nearest to a user. Scores stay exact."""


class RankerSettings(msgspec.Struct, forbid_unknown_fields=True):
    """How lists are made from the ranker's scores."""

    diversity: float = 0.0
    """0 orders lists by score alone. The nearer to 1, the more an item must differ from those above it."""
    explore: float = 0.0
    """0 lists what is best by all that is known. Above 0, lists are drawn, to learn of items that were shown too
    seldom; 1 is recommended."""


class ImpressionSettings(msgspec.Struct, forbid_unknown_fields=True):
    """How clicks find what their users were shown."""

    window_seconds: float = 1800.0
    """Seconds for which an impression is what a click answers, if the click does not name one."""


class AdaptationSettings(msgspec.Struct, forbid_unknown_fields=True):
    """How targets are adapted to their sources, and to drift."""

    strategy: Literal["auto", Strategy] = "auto"
    """How sources help targets. `auto` chooses first by measured divergence, then by prequential evidence."""
    enabled: bool = True
    """Whether drift leads to actions."""


class EventType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A type of event of the producer's own, such as `purchase = { as = "click", weight = 3 }`."""

    as_: Literal["click", "skip"] = msgspec.field(default="click", name="as")
    """`click`: the user chose the item. `skip`: the user turned it down, which lowers it and never raises it."""
    weight: float = 1.0
    """How many clicks it counts as at first, above 0. Weights of clicks are learned from then on."""


class LearningSettings(LearnerSettings, forbid_unknown_fields=True):
    """All settings of a learner in one value, so that two learners that are compared cannot differ in a part."""

    ranker: RankerSettings = msgspec.field(default_factory=RankerSettings)
    adaptation: AdaptationSettings = msgspec.field(default_factory=AdaptationSettings)
    impressions: ImpressionSettings = msgspec.field(default_factory=ImpressionSettings)
    events: dict[str, EventType] = {}
    """The producer's own types of events, by name."""
