"""Set which arm users follow, as if the tests had decided so."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from models.arms.arm_comparison import ArmComparison
from models.arms.arm_selector import NAMES, buckets
from models.settings import Arm


def follow(arms: ArmComparison, domain: str, arm: Arm, names: Iterable[str] = NAMES) -> None:
    """Let the lists of a domain be those of `arm`, for users of these history buckets."""
    decided = {f"{domain}\t{name}\tranking": {"followed": arm, "events": 0, "tests": {}} for name in names}
    arms.selector.load(arms.selector.state() | decided)


def bucket(events: int) -> str:
    """Return the name of a user's history bucket. events: the user's events in the target."""
    return NAMES[int(buckets(np.array([events]))[0])]
