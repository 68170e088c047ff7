"""A ranking becomes lines whose parts people and programs can read."""

from __future__ import annotations

from math import copysign

import numpy as np

from models.arms.arm_comparison import ArmComparison
from models.ranking.rankings import Ranked
from models.ranking.recommendation import to_list
from models.schema import Domain, Item
from models.settings import LearningSettings


def test_no_part_is_a_negative_zero() -> None:
    """A part that adds nothing is 0.0, whatever sign its weight has."""
    arms = ArmComparison([Domain("books")], LearningSettings())
    arms.put_item(Item("books", "dune", "Dune"))
    parts = np.array([[-0.0, 0.0, -1.5]])
    (line,) = to_list(
        arms.full.catalogues[0], Ranked(np.array([0]), np.array([-1.5]), parts, ("a", "b", "c")), 1, 1, 0.0
    )
    assert line.why == {"a": 0.0, "b": 0.0, "c": -1.5}
    assert [copysign(1.0, part) for part in line.why.values()] == [1.0, 1.0, -1.0]
