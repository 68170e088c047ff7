"""Define the settings of a simulated world, and check them."""

from __future__ import annotations

from typing import Literal

import msgspec

from consumers.config.checks import DOMAIN_NAME

DAY_MS = 86_400_000
STORIES = "stories"


class DomainSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One domain: its size, its rating scale and its share of the events."""

    name: str
    users: int = 500
    items: int = 300
    mean: float = 3.5
    """Mean rating before any user, item or taste: the domain's bias."""
    share: float = 1.0
    """Share of all events, relative to the other domains' shares."""
    kind: Literal["rating", "click", "both"] = "rating"
    click_share: float = 0.5
    """Share of the events that are clicks, for kind `both`."""
    rating_range: tuple[float, float] = (1.0, 5.0)
    step: float | None = 0.5
    """Ratings are rounded to multiples of this; None leaves them as they are."""
    half_life_days: float | None = None
    """Days after which interest in a new item has halved. Items then appear all along the stream. None: never, and all
    items are there from the beginning."""


class Drift(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of one domain's truth.

    `sudden`: at once. `gradual`: linearly over `span`. `recurring`: on for `span`, off for `span`, and so on.
    """

    domain: str
    kind: Literal["sudden", "gradual", "recurring"] = "sudden"
    at: float = 0.5
    """Where it begins. Below 1: a share of all events. From 1 on: an event index over all domains."""
    span: float = 0.1
    """How long it takes, counted as `at`; `sudden` does not use it."""
    bias: float = 1.0
    """Added to the domain's mean."""
    reshuffle: bool = True
    """Whether other items become the popular ones."""
    rotate: float = 0.0
    """Degrees by which tastes in this domain turn. At 90, users who loved one theme love another."""


class Poison(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A domain whose events lie: mirrored ratings, clicks on what the user likes least."""

    domain: str
    at: float = 0.0
    """Where it begins, as `Drift.at`."""
    share: float = 1.0
    """Share of the events that lie."""


class WorldSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that makes a world. Equal settings make equal worlds and equal events."""

    domains: tuple[DomainSpec, ...]
    events: int = 20_000
    """Interactions of all domains together."""
    overlap: float = 0.8
    """Share of each domain's users who come from the common pool; 0 = none, 1 = all.

    The common users of a smaller domain are all in the larger one too.
    """
    seed: int = 0
    dim: int = 8
    taste_sd: float = 0.7
    """Standard deviation of taste · item, in rating points; the other deviations likewise."""
    user_bias_sd: float = 0.4
    item_bias_sd: float = 0.3
    noise_sd: float = 0.5
    zipf: float = 0.8
    """Exponent of item popularity; 0 = all alike."""
    activity: float = 0.6
    """Exponent of user activity; 0 = all alike."""
    choice: float = 2.0
    """How much taste decides what is chosen among the popular; 0 = not at all."""
    drift: tuple[Drift, ...] = ()
    poison: tuple[Poison, ...] = ()
    start_ms: int | None = 1_704_067_200_000
    """Time of the first event (2024-01-01), ms. None: each event has the time at which it is generated."""
    events_per_day: float = 10_000.0
    """Events (of all domains) in a simulated day."""
    event_ids: bool = False
    """Whether events carry an `event_id`."""
    words: str = STORIES
    """The scenario whose words make the titles; `stories` for those of the default world."""

    def ending_at(self, end_ms: int) -> WorldSettings:
        """Return the same world with its last event at this time, ms."""
        return msgspec.structs.replace(self, start_ms=end_ms - int((self.events - 1) * self.spacing_ms))

    @property
    def spacing_ms(self) -> float:
        """Milliseconds between two events."""
        return DAY_MS / self.events_per_day


def validate(settings: WorldSettings) -> None:
    names = [spec.name for spec in settings.domains]
    # Choices are weighed by taste in units of its own deviation.
    if settings.taste_sd <= 0:
        raise ValueError("taste_sd must be above 0")
    if not names or len(set(names)) != len(names):
        raise ValueError("a world needs at least one domain, each with a name of its own")
    if not 0 <= settings.overlap <= 1:
        raise ValueError(f"overlap must be between 0 and 1, got {settings.overlap}")
    if not 2 <= settings.dim <= 8:
        raise ValueError(f"dim must be between 2 and 8 (there are words for 8 axes), got {settings.dim}")
    for name in [d.domain for d in settings.drift] + [p.domain for p in settings.poison]:
        if name not in names:
            raise ValueError(f"no domain {name!r} to change; there are {', '.join(names)}")
    for spec in settings.domains:
        _validate_domain(spec, settings)


def _validate_domain(spec: DomainSpec, settings: WorldSettings) -> None:
    if not DOMAIN_NAME.fullmatch(spec.name):
        raise ValueError(f"a domain name is made of a-z, 0-9, _ and - only, not {spec.name!r}")
    if spec.half_life_days is not None and spec.half_life_days <= 0:
        raise ValueError(f"half_life_days of domain {spec.name!r} must be above 0")
    if spec.half_life_days and any(d.domain == spec.name and d.reshuffle for d in settings.drift):
        raise ValueError(
            f"in domain {spec.name!r} interest fades: its drift cannot reshuffle what is popular"
        )
    if spec.users < 1 or spec.items < 1 or spec.share <= 0:
        raise ValueError(f"domain {spec.name!r} needs users, items and a share above 0")
