"""The conditional logit: its gradient by hand, bends, contexts, and what it learns."""

from __future__ import annotations

import numpy as np
import pytest

from models.ranking.conditional_logit import BENDS, Choice, Context


def choice_of(signals: int, **settings: float) -> Choice:
    names = tuple(f"s{n}" for n in range(signals))
    return Choice(np.zeros(signals), np.full((BENDS, signals), 1e9), names, **settings)


def context_of(count: int = 0, user: int | None = None, gap: float | None = None) -> Context:
    return Context(user, count, gap)


@pytest.mark.parametrize(("count", "part"), [(0, 1), (1, 2), (4, 2), (5, 3), (19, 3), (20, 4), (999, 4)])
def test_history_buckets(count: int, part: int) -> None:
    assert context_of(count).parts()[1] == part


@pytest.mark.parametrize(
    ("gap", "part"), [(None, 5), (0.0, 6), (59.0, 6), (60.0, 7), (3600.0, 8), (86400.0, 9), (1e9, 10)]
)
def test_gap_classes(gap: float | None, part: int) -> None:
    parts = context_of(gap=gap).parts()
    assert parts[2] == part
    assert part < len(choice_of(1).weights)


def test_one_step_by_hand() -> None:
    """Equal scores: P = 1/2, gradient = mean - chosen = (-1/2, 0); each part moves by rate · ½ / √(1 + 1/4)."""
    choice = choice_of(2, rate=0.1, forget=1.0)
    bent = choice.bent(np.array([[1.0, 3.0], [0.0, 3.0]]))
    choice.learn(bent, 0, context_of(0, user=1))
    step = 0.1 * 0.5 / np.sqrt(1.25)
    np.testing.assert_allclose(choice.weights_of(context_of(0, user=1))[:2], [4 * step, 0], rtol=1e-5)
    np.testing.assert_allclose(choice.weights_of(context_of(0))[:2], [3 * step, 0], rtol=1e-5)
    np.testing.assert_allclose(choice.weights_of(context_of(5))[:2], [2 * step, 0], rtol=1e-5)
    np.testing.assert_allclose(choice.weights_of(context_of(5, gap=1.0))[:2], [step, 0], rtol=1e-5)
    choice.drop_user(1)
    np.testing.assert_allclose(choice.weights_of(context_of(0, user=1))[:2], [3 * step, 0], rtol=1e-5)


def test_signals_bend_at_their_knots() -> None:
    """x = 3 with knots 1, 2, 4, 5: 3, then 2, 1, 0, 0 beyond them; contributions add up to the score."""
    choice = Choice(np.zeros(1), np.array([[1.0], [2.0], [4.0], [5.0]]), ("s",))
    bent = choice.bent(np.array([[3.0]]))
    np.testing.assert_allclose(bent, [[3, 2, 1, 0, 0]])
    choice.weights[0] = [1.0, 10.0, 100.0, 1000.0, 1000.0]
    np.testing.assert_allclose(choice.contributions(bent, choice.weights_of(context_of())), [[123.0]])


def test_finds_the_weights_of_a_logit_population() -> None:
    random, truth = np.random.default_rng(0), np.array([1.5, -1.0, 0.0])
    choice = choice_of(3)
    for _ in range(6000):
        signals = random.normal(size=(10, 3))
        p = np.exp(signals @ truth)
        chosen = int(random.choice(10, p=p / p.sum()))
        choice.learn(choice.bent(signals), chosen, context_of(int(random.integers(40))))
    np.testing.assert_allclose(choice.weights_of(context_of(30))[:3], truth, atol=0.3)


def test_a_signal_that_is_not_finite_is_not_learned() -> None:
    choice = choice_of(1)
    choice.learn(np.array([[np.nan] * 5, [1.0] * 5], np.float32), 0, context_of())
    assert not choice.weights.any()


def test_weights_are_taken_up_by_name() -> None:
    """Signals change places, one is new, one is gone: what was learned of the others stays with them."""
    old = Choice(np.zeros(3), np.full((BENDS, 3), 1e9), ("a", "b", "gone"))
    candidates = np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 1.0]])
    for _ in range(5):
        old.learn(old.bent(candidates), 0, context_of(user=2))
    new = Choice(np.array([0.7, 0.0, 0.0]), np.full((BENDS, 3), 1e9), ("new", "b", "a"))
    new.load(old.state())
    before, after = old.weights_of(context_of(user=2)), new.weights_of(context_of(user=2))
    np.testing.assert_array_equal(after[[2, 1]], before[[0, 1]])
    assert after[0] == np.float32(0.7)


def test_weights_without_names_must_fit() -> None:
    old = choice_of(2).state()
    del old["names"]
    choice_of(2).load(old)
    with pytest.raises(ValueError, match="2 unnamed signals for 3"):
        choice_of(3).load(old)
