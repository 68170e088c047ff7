"""The crude model of appeal: shrunk rates by score and item, learned from the other half of the users."""

from __future__ import annotations

import numpy as np
import pytest

from consumers.evaluation.impressions.appeal import ShownPlaces, fit_appeal

N = 4_000


def shown(scores: np.ndarray, items: np.ndarray, clicks: np.ndarray, users: np.ndarray) -> ShownPlaces:
    return ShownPlaces(users, items, scores.astype(float), clicks.astype(float), np.full(len(users), 0.5))


def test_an_item_alone_by_hand() -> None:
    """Users 0 and 1 see items 0 and 1 ten times each; only user 1 clicks, item 0, five times.

    For user 0, who is told of by user 1: the rate of all places is (5 + .5) / (10 + 1) = .5, that of the score
    (5 + 5) / (10 + 5 / .5) = .5; item 0 has (5 + 5) / (5 · .5 + 5) = 4 / 3, item 1 (0 + 5) / (5 · .5 + 5) = 2 / 3.
    """
    users, items = np.repeat([0, 1], 20), np.tile(np.repeat([0, 1], 10), 2)
    clicks = np.zeros(40)
    clicks[20:25] = 1
    model = fit_appeal(shown(np.zeros(40), items, clicks, users), 2)
    assert model.of(0, np.array([0, 1, -1]), np.zeros(3)) == pytest.approx([2 / 3, 1 / 3, 0.5])
    # User 1 is told of by user 0, who clicked nothing: an overall rate of .5 / 11.
    assert model.of(1, np.array([0]), np.zeros(1))[0] < 0.05


def test_scores_and_items_both_tell() -> None:
    """A click is twice as likely above 0, and three times as likely on item 0; the model finds both within 15 %."""
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 400, 10 * N), rng.integers(0, 2, 10 * N)
    scores = rng.standard_normal(10 * N)
    appeal = 0.1 * np.where(scores > 0, 2, 1) * np.where(items == 0, 3, 1)
    model = fit_appeal(shown(scores, items, rng.random(10 * N) < 0.5 * appeal, users), 2)
    found = model.of(0, np.array([0, 0, 1, 1]), np.array([1.0, -1.0, 1.0, -1.0]))
    assert found == pytest.approx([0.6, 0.3, 0.2, 0.1], rel=0.15)


def test_a_log_without_clicks() -> None:
    model = fit_appeal(shown(np.zeros(4), np.zeros(4, int), np.zeros(4), np.arange(4)), 1)
    assert 0 < model.of(0, np.array([0]), np.zeros(1))[0] < 0.5
