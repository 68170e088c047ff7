"""The age of an item agrees with numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.tables.decayed_counts import DAY
from tests.support.learners.ranking_world import World


def test_ages_count_from_the_first_event() -> None:
    """With events at days 1, 2 and 4, the age at day 5 is 1 + log(1 + 4); 0 without events, and again after a drop."""
    world = World(text=False, items=20)
    world.time = DAY
    for apart in (0.0, DAY, 2 * DAY):
        world.learn([(1, 0, 0)], apart)
    world.time = 5 * DAY
    ages = world.column("age", None)
    assert ages[0] == pytest.approx(1 + np.log(5), rel=1e-5)
    assert ages[1] == 0.0
    world.ranker.drop_item(1, 0)
    assert world.column("age", None)[0] == 0.0
