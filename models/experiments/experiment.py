"""Define a live experiment: its arms, who is in it, and which arm a user or a list gets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, NamedTuple

from models.experiments.assignment import arm_of
from models.settings import Arm, RankerSettings

Unit = Literal["user", "list"]
DEFAULT = "default"
"""The name of the policy of lists that are in no experiment."""


class ListSettings(NamedTuple):
    """How the lists of one arm are made. top: items. explain_top: how many of them carry `why`.

    made_by: the arm of `models/arms` that makes them, None for the one that the arm selector follows.
    """

    top: int
    explain_top: int
    ranker: RankerSettings
    made_by: Arm | None = None


class Experiment(NamedTuple):
    """One experiment. arms: how lists are made, by name; the first arm is the one that others are compared with.

    unit: what is given an arm: a user with all their lists in these domains, or each list by itself. share: of all
    units that take part, and weights: the share of each arm among these, together 1. starts: ms since the epoch; what
    was shown before is the pre-period of users. key: see `arm_of`.
    """

    name: str
    domains: tuple[str, ...]
    unit: Unit
    arms: Mapping[str, ListSettings]
    weights: Mapping[str, float]
    share: float = 1.0
    starts: int = 0
    key: bytes = b""

    def arm(self, user: str, domain: str, list_ts: int) -> str | None:
        """Return the arm of a list that is published at `list_ts` (ms), None if it is in none.

        Whether a unit takes part, and which arm it gets, are two draws: so a unit keeps its arm when the share grows.
        """
        return self.planned(user, domain, list_ts) if list_ts >= self.starts else None

    def planned(self, user: str, domain: str, list_ts: int) -> str | None:
        """Return the arm that the unit has once the experiment has started, None if it does not take part."""
        unit = user if self.unit == "user" else f"{user}\0{domain}\0{list_ts}"
        if self.share < 1 and arm_of(f"{self.name}\0share", unit, {"in": self.share}, self.key) is None:
            return None
        return arm_of(self.name, unit, self.weights, self.key)

    def policy(self, arm: str) -> str:
        """Return the name under which metrics count the lists of an arm."""
        return f"{self.name}/{arm}"

    @property
    def identity(self) -> int:
        """A number that changes with everything that the totals rest on: arms, weights, unit, domains, start.

        It is positive. A larger share only adds units, and changes nothing.
        """
        told = (self.name, self.domains, self.unit, self.starts, sorted(self.weights.items()))
        arms = [(name, *arm[:2], str(arm.ranker), arm.made_by) for name, arm in self.arms.items()]
        return int.from_bytes(hashlib.blake2b(repr((told, arms)).encode(), digest_size=8).digest()) >> 1
