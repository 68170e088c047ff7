"""Define what a scenario is."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from consumers.simulator.vocabulary import Vocabulary
from consumers.simulator.world_settings import DomainSpec

Name = Literal["news", "shop", "social", "courses", "search"]
NAMES: tuple[Name, ...] = get_args(Name)
SHARES = (0.45, 0.40, 0.15)
"""Share of the events: of both sources, and of the young target."""


class Scenario(msgspec.Struct, frozen=True):
    """Two sources and a target with one subject.

    did: what a user does with an item, in the past tense. days: how long the stream lasts in its own time. half_lives:
    days after which interest in a new item has halved, by domain. rated: domains with ratings beside clicks.
    """

    name: Name
    sources: tuple[str, str]
    target: str
    did: str
    days: float
    half_lives: dict[str, float]
    words: Vocabulary
    rated: tuple[str, ...] = ()

    def domains(self) -> tuple[DomainSpec, ...]:
        """Return the settings of the three domains; the target is the last."""
        sizes = ((180, 400), (160, 400), (140, 200))
        return tuple(
            DomainSpec(
                name,
                users,
                items,
                mean=mean,
                share=share,
                kind="both" if name in self.rated else "click",
                half_life_days=self.half_lives[name],
            )
            for name, (users, items), mean, share in zip(
                (*self.sources, self.target), sizes, (3.6, 3.9, 3.4), SHARES, strict=True
            )
        )
