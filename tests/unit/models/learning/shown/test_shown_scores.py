"""The kernels that place and centre shown items equal plain rules."""

from __future__ import annotations

import numpy as np

from models.learning.shown.shown_scores import centre, places_among

RNG = np.random.default_rng(2)
SIZES = np.array([30, 1, 12, 0])
AT = np.array([0, 0, 0, 1, 2, 2])


def test_each_item_is_found_among_the_candidates_of_its_question() -> None:
    candidates = np.stack([RNG.permutation(50)[:40] for _ in SIZES]).astype(np.int32)
    expected = np.array([4, 29, 0, 0, 11, 3])
    rows = candidates[AT, expected].astype(np.int64)
    assert places_among(candidates, SIZES, AT, rows).tolist() == expected.tolist()


def test_rate_slope_and_level_follow_their_formulas() -> None:
    """Slopes are from the mean of the impression; levels from the log of the mean share."""
    scores = RNG.normal(0, 30, (4, 40)).astype(np.float32)
    places, x = np.array([4, 29, 0, 0, 11, 3]), np.full((len(AT), 4), 7.0)
    centre(scores, SIZES, AT, places, x)
    for n, (at, place) in enumerate(zip(AT.tolist(), places.tolist(), strict=True)):
        own = scores[at, places[at == AT]].astype(np.float64)
        every = scores[at, : SIZES[at]].astype(np.float64)
        usual = every.max() + np.log(np.exp(every - every.max()).mean())
        expected = 1.0, scores[at, place] - own.mean(), own.mean() - usual
        np.testing.assert_allclose(x[n, :3], expected, rtol=1e-5, atol=1e-5)
    assert (x[:, 3] == 7.0).all(), "fatigue is another's"


def test_a_question_without_candidates_changes_nothing() -> None:
    x = np.zeros((0, 4))
    centre(np.zeros((1, 3), np.float32), np.array([0]), AT[:0], AT[:0], x)
    assert x.shape == (0, 4)
