"""Define the settings of a closed-loop world, and its three kinds."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

WorldName = Literal["mute", "text", "news"]
WORLDS: tuple[WorldName, ...] = get_args(WorldName)
"""mute: the text does not tell an item's appeal. text: it tells a quarter of the variance. news: appeal falls with age.
"""
IMPRESSIONS = 50_000
BEFORE = 20_000
LIST = 10
"""Items that a user is shown."""
IMPRESSIONS_PER_DAY = 5_000
DOMAINS = ("movies", "books", "games")
SHARES = (0.5, 0.3, 0.2)
"""Share of each domain in the impressions."""


class LoopSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that makes a closed-loop world. Equal settings make equal worlds, users and looks.

    Standard deviations are in log odds of a click. Times are impressions of all domains.
    """

    name: WorldName
    seed: int = 0
    impressions: int = IMPRESSIONS
    """Impressions during which the second half of the items arrives."""
    before: int = BEFORE
    """Impressions before them, without arrivals."""
    users: int = 1_000
    items: int = 1_000
    """Items of each domain, the later half included."""
    activity_sd: float = 1.0
    """Standard deviation of the logarithm of users' activity."""
    taste_sd: float = 0.7
    """Of what a user's topics add."""
    appeal_sd: float = 0.8
    """Of what an item adds for everybody."""
    steepness: float = 0.7
    """The rank k is looked at with the probability `1 / k^steepness`."""
    fatigue: float = 0.5
    fatigue_half_life: float = IMPRESSIONS_PER_DAY
    """See `Fatigue`."""
    appeal_half_life: float = 4.0 * IMPRESSIONS_PER_DAY
    """Time in which the odds of a click on an item of *news* halve."""

    @property
    def told(self) -> float:
        """Return the share of the variance of appeal that the text tells."""
        return 0.25 if self.name == "text" else 0.0

    @property
    def ages(self) -> bool:
        """Return whether appeal falls with age."""
        return self.name == "news"

    @property
    def base(self) -> float:
        """Return the log odds of a click on an item of mean appeal, by a user of mean taste who looks at it."""
        return -3.0 if self.ages else -3.7

    @property
    def end(self) -> int:
        """Return the number of all impressions."""
        return self.before + self.impressions


def check(settings: LoopSettings) -> None:
    """Raise ValueError if no such world can be made."""
    if settings.name not in WORLDS:
        raise ValueError(f"a closed-loop world is one of {', '.join(WORLDS)}, not {settings.name!r}")
    if settings.users < 1 or settings.items < 2 * LIST:
        raise ValueError(f"a closed-loop world needs a user, and {2 * LIST} items in each domain")
    if settings.impressions < 1 or settings.before < 0:
        raise ValueError("a closed-loop world needs at least one impression")
