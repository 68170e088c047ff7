"""The click model finds rates, slopes and fatigue, and appeal counts only once it has proved itself."""

from __future__ import annotations

import numpy as np
import pytest

from models.learning.shown.click_model import (
    ARMS,
    FATIGUE,
    MEAN,
    PRECISION,
    RATE,
    SLOPE,
    ClickModel,
    Examples,
    Met,
)

PLACES = 10


def examples(rng: np.random.Generator, weights: list[float], appeal_sd: float = 0.0) -> Examples:
    """Return 16 impressions of 10 places whose clicks follow these weights and appeals."""
    n = 16 * PLACES
    x = np.ones((n, 4))
    x[:, 1:3] = rng.standard_normal((n, 2))
    x[:, 3] = rng.exponential(0.5, n)
    theta = np.tile(np.arange(1.0, PLACES + 1) ** -0.7, 16)
    truth = appeal_sd * rng.standard_normal(n)
    rate = theta * np.exp(np.minimum(x @ np.array(weights) + truth, 0.0))
    clicks = (rng.random(n) < rate).astype(np.float64)
    return Examples(np.repeat(x[:, None], len(ARMS), 1), theta, truth, clicks, np.ones(n), 16)


def met(some: Examples, appeal: np.ndarray) -> Met:
    """Return the clicks of impressions with one click, as `judge` takes them."""
    at = np.repeat(np.arange(16), PLACES)
    one = np.bincount(at, some.clicks)[at] == 1
    return Met(at[one], some.x[one, 0], some.theta[one], appeal[one], some.clicks[one] > 0)


def test_a_step_by_hand() -> None:
    """One show at rate e^w: the precision grows by the rate, and w moves by (click - rate) / precision."""
    model = ClickModel(1)
    x = np.zeros((1, len(ARMS), 4))
    x[:, :, RATE] = 1.0
    model.learn(0, Examples(x, np.ones(1), np.zeros(1), np.ones(1), np.ones(1), 0))
    rate = np.exp(MEAN[RATE])
    step = (1 - rate) / (PRECISION[RATE] + rate)
    assert step > 1.0, "a longer step than 1 is cut"
    assert model.weights[0, 0].tolist() == pytest.approx([MEAN[RATE] + 1.0, *MEAN[1:]])
    assert model.precision[0, 0, RATE, RATE] == pytest.approx(PRECISION[RATE] + rate)


def test_it_finds_rate_slope_and_fatigue() -> None:
    """After 8,000 impressions, within three standard errors."""
    rng, model, truth = np.random.default_rng(1), ClickModel(2), [-2.5, 0.6, 0.2, -0.7]
    for _ in range(500):
        some = examples(rng, truth)
        model.judge(1, met(some, np.zeros(len(some.clicks))))
        model.learn(1, some)
    errors = np.sqrt(np.diag(np.linalg.inv(model.precision[1, 0])))
    assert (np.abs(model.weights[1, 0] - truth) < 3 * errors).all()
    assert (errors < 0.12).all()
    assert model.slope(1, 0) == model.weights[1, 0, SLOPE]
    assert model.fatigue(1) == model.weights[1, 0, FATIGUE]
    assert model.shares(1)[1] > 0.8
    assert model.weights[0, 0].tolist() == MEAN.tolist(), "another domain learns nothing"


def test_clicks_may_come_after_their_shows() -> None:
    """Shows and clicks of the same impressions teach in two parts what they teach together, to first order."""
    rng, together, apart = np.random.default_rng(2), ClickModel(1), ClickModel(1)
    for _ in range(300):
        some = examples(rng, [-2.5, 0.6, 0.2, -0.7])
        together.learn(0, some)
        hit = some.clicks > 0
        apart.learn(0, some._replace(clicks=np.zeros(len(some.clicks))))
        zeros = np.zeros(int(hit.sum()))
        late = Examples(some.x[hit], some.theta[hit], some.appeal[hit], some.clicks[hit], zeros, 0)
        apart.learn(0, late)
    assert apart.weights[0, 0].tolist() == pytest.approx(together.weights[0, 0].tolist(), abs=0.05)


def test_appeal_counts_by_what_it_gains() -> None:
    """Nothing at first, all in the end; a wrong appeal never."""
    rng, right, wrong = np.random.default_rng(3), ClickModel(1), ClickModel(1)
    assert right.shares(0) == (0.0, 0.0)
    for _ in range(200):
        some = examples(rng, [-2.5, 0.6, 0.0, 0.0], appeal_sd=0.8)
        right.judge(0, met(some, some.appeal))
        wrong.judge(0, met(some, 0.5 * rng.standard_normal(len(some.clicks))))
        for one in (right, wrong):
            one.learn(0, some)
    assert right.shares(0)[0] > 0.9
    assert wrong.shares(0)[0] == 0.0


def test_a_gain_by_hand() -> None:
    """Of two items at places of equal examination, the one of appeal log 3 is clicked: log(3/4) - log(1/2)."""
    model = ClickModel(1)
    x = np.tile([1.0, 0.0, 0.0, 0.0], (2, 1))
    for clicked, gain in ((True, np.log(1.5)), (False, np.log(0.5))):
        model.gains[:] = 0.0
        model.judge(0, Met(np.zeros(2, np.int64), x, np.ones(2), np.array([np.log(3), 0.0]),
                           np.array([clicked, not clicked])))  # fmt: skip
        assert model.gains[0].tolist() == pytest.approx([gain, 0.0])


def test_a_state_goes_on() -> None:
    """A loaded model learns the same, bit for bit."""
    rng, model, again = np.random.default_rng(4), ClickModel(1), ClickModel(1)
    model.learn(0, examples(rng, [-2.5, 0.6, 0.2, -0.7]))
    again.load(model.state())
    some = examples(rng, [-2.5, 0.6, 0.2, -0.7])
    for one in (model, again):
        one.learn(0, some)
    assert model.weights.tolist() == again.weights.tolist()
    assert model.gains.tolist() == again.gains.tolist()
