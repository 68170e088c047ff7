"""Items for beginners and for the experienced."""

from __future__ import annotations

import numpy as np

from models.signals.user_experience import Stage


def test_an_item_fits_users_at_the_stage_of_its_earlier_ones() -> None:
    stage = Stage()
    for _ in range(200):
        stage.add(0, 1)
        stage.add(1, 200)
    rows = np.array([0, 1])
    beginner, expert = stage.fit(rows, 1), stage.fit(rows, 200)
    assert beginner[0] > beginner[1]
    assert expert[1] > expert[0]


def test_unknown_and_dropped_items_are_the_domain_average() -> None:
    """Without events of its own an item has the domain's mean and variance, as a row never seen has."""
    stage = Stage()
    for events in (1, 5, 50):
        stage.add(0, events)
    stage.drop(0)
    fit = stage.fit(np.array([0, 99]), 7)
    assert fit[0] == fit[1]
    other = Stage()
    other.load(stage.state())
    np.testing.assert_array_equal(other.fit(np.array([0, 1]), 3), stage.fit(np.array([0, 1]), 3))


def test_before_any_event_all_items_are_alike() -> None:
    assert len(set(Stage().fit(np.arange(3), 4))) == 1
