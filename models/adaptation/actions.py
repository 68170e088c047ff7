"""Choose the actions for a drift, by a pure function."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from models.adaptation.drift_detectors import Detector

Action = Literal["raise_rate", "reset_domain", "shorten_half_lives", "realign", "reweight_sources"]
"""raise_rate: learn the domain's own bias as fast as that of a new domain.
reset_domain: learn the biases of its items and users as fast, too.
shorten_half_lives: move the ranker's weights to the latest popularity, and let it learn as at the start.
realign: try another way to align the target with its sources.
reweight_sources: compute the sources' weights from their present divergence."""

FOR_TARGETS: tuple[Action, ...] = ("realign", "reweight_sources")
"""Actions for targets: only they have sources."""

PLAN: dict[Detector, tuple[Action, ...]] = {
    "bias": ("raise_rate", "reset_domain"),
    "rating_error": ("reset_domain",),
    "popularity": ("shorten_half_lives",),
    "ranking_error": ("shorten_half_lives",),
    "divergence": ("reweight_sources", "realign"),
}


def plan(detected: Collection[Detector], is_target: bool) -> list[Action]:
    """Return the actions to try, mildest first. is_target: whether the domain is a target."""
    wanted = [action for detector in PLAN if detector in detected for action in PLAN[detector]]
    return [action for action in dict.fromkeys(wanted) if is_target or action not in FOR_TARGETS]
