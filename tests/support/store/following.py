"""Set which arm users follow, as if the tests had decided so."""

from __future__ import annotations

from collections.abc import Iterable

from models.arms.arm_comparison import ArmComparison
from models.arms.arm_selector import NAMES, Arm


def follow(arms: ArmComparison, domain: str, arm: Arm, buckets: Iterable[str] = NAMES) -> None:
    """Let the lists of a domain be those of `arm`, for users of these history buckets."""
    decided = {
        f"{domain}\t{bucket}\tranking": {"followed": arm, "events": 0, "tests": {}} for bucket in buckets
    }
    arms.selector.load(arms.selector.state() | decided)
