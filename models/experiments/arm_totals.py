"""Keep the totals of one arm of an experiment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.experiments.distinct import Distinct
from models.experiments.sums import ArmSums


class ArmTotals:
    """What an arm's units were shown and clicked. tops: impressions that were clicked in their first ten places.

    items: the distinct items that were shown, by domain.
    """

    def __init__(self) -> None:
        self.sums = ArmSums.none()
        self.tops = 0
        self.items: dict[str, Distinct] = {}

    def shows(self, domain: str, items: NDArray[np.int64]) -> None:
        """Note the items of an impression, (n,) hashes."""
        self.items.setdefault(domain, Distinct()).add(items)

    def __add__(self, other: ArmTotals) -> ArmTotals:
        """Return the totals of the units of both."""
        both = ArmTotals()
        both.sums, both.tops = self.sums + other.sums, self.tops + other.tops
        for one in (self, other):
            for domain, items in one.items.items():
                both.items.setdefault(domain, Distinct()).join(items)
        return both

    def state(self) -> dict[str, Any]:
        """Return what `of` takes."""
        seen, units, first, second = self.sums
        return {
            "seen": int(seen),
            "units": int(units),
            "first": first,
            "second": second,
            "tops": self.tops,
            "items": {domain: items.registers for domain, items in self.items.items()},
        }

    @classmethod
    def of(cls, state: dict[str, Any]) -> ArmTotals:
        """Return the totals of a state."""
        made = cls()
        made.sums = ArmSums(state["seen"], state["units"], state["first"].copy(), state["second"].copy())
        made.tops = state["tops"]
        made.items = {domain: Distinct(registers.copy()) for domain, registers in state["items"].items()}
        return made
