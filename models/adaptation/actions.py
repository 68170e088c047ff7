"""From what drifted to what is tried: a pure function."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from models.adaptation.drift_detectors import Detector

Action = Literal["raise_rate", "reset_domain", "shorten_half_lives", "realign", "reweight_sources"]
"""raise_rate: learn the domain's own bias as fast as a new domain's.
reset_domain: so too every item's and user's in it.
shorten_half_lives: move the ranker's trust to the latest popularity, and let it learn as at the start.
realign: try another way of aligning the target with its sources.
reweight_sources: take the sources' weights from their divergence as it is now."""

FOR_TARGETS: tuple[Action, ...] = ("realign", "reweight_sources")
"""Only a target has sources to be aligned with or to weigh."""

PLAN: dict[Detector, tuple[Action, ...]] = {
    "bias": ("raise_rate", "reset_domain"),
    "rating_error": ("reset_domain",),
    "popularity": ("shorten_half_lives",),
    "ranking_error": ("shorten_half_lives",),
    "divergence": ("reweight_sources", "realign"),
}


def plan(detected: Collection[Detector], is_target: bool) -> list[Action]:
    """What to try, mildest first."""
    wanted = [action for detector in PLAN if detector in detected for action in PLAN[detector]]
    return [action for action in dict.fromkeys(wanted) if is_target or action not in FOR_TARGETS]
