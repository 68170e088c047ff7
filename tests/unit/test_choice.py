"""The conditional logit: its gradient by hand, and what it learns."""

from __future__ import annotations

import numpy as np
import pytest

from models.choice import Choice, bucket


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (4, 1), (5, 2), (19, 2), (20, 3), (999, 3)])
def test_buckets(count: int, expected: int) -> None:
    assert bucket(count) == expected


def test_one_step_by_hand() -> None:
    """Equal scores: P = 1/2, gradient = mean - chosen = (-1/2, 0); AdaGrad divides by √(1 + 1/4)."""
    choice = Choice(np.zeros(2), rate=0.1)
    choice.learn(np.array([[1.0, 3.0], [0.0, 3.0]]), 0, count=0)
    step = 0.1 * 0.5 / np.sqrt(1.25)
    np.testing.assert_allclose(choice.weights[0], [step, 0])
    np.testing.assert_allclose(choice.weights_of(0), [2 * step, 0])
    np.testing.assert_allclose(choice.weights_of(1), [step, 0])


def test_finds_the_weights_of_a_logit_population() -> None:
    random, truth = np.random.default_rng(0), np.array([1.5, -1.0, 0.0])
    choice = Choice(np.zeros(3), rate=0.1)
    for _ in range(4000):
        signals = random.normal(size=(10, 3))
        p = np.exp(signals @ truth)
        choice.learn(signals, int(random.choice(10, p=p / p.sum())), count=int(random.integers(40)))
    np.testing.assert_allclose(choice.weights_of(30), truth, atol=0.25)


def test_a_signal_that_is_not_finite_is_not_learned() -> None:
    choice = Choice(np.ones(1))
    choice.learn(np.array([[np.nan], [1.0]]), 0, count=0)
    assert choice.weights_of(0).tolist() == [1.0]
