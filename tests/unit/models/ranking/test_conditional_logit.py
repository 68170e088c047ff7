"""The conditional logit agrees with numbers worked by hand and with plain numpy, and learns choices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.ranking.conditional_logit import (
    BENDS,
    FORGET,
    PARTS,
    RATE,
    ConditionalLogit,
    Signals,
    gradient,
    part_rows,
    rank_of,
    score,
    step,
    weights_of,
)
from tests.support.plain.conditional_logit import PlainLogit, bent

NO_SLOPES = np.zeros((2, 0), np.float32)


def logit_of(signals: int) -> ConditionalLogit:
    names = tuple(f"s{n}" for n in range(signals))
    return ConditionalLogit(np.zeros(signals), np.full((BENDS, signals), 1e9), names)


def columns(signals: Any) -> np.ndarray:
    """Return (C, signals) as kernels take them: one column for each signal, with room for more candidates."""
    x = np.asarray(signals, np.float32)
    room = np.full((x.shape[1], len(x) + 5), 99, np.float32)
    room[:, : len(x)] = x.T
    return room


def weights_for(logit: ConditionalLogit, user: int | None, events: int, gap: float | None) -> np.ndarray:
    """Return the sum of all parts, (5 · signals,). gap: seconds since the user's last event, None without one."""
    out = np.zeros(logit.weights.shape[1], np.float32)
    known = user is not None and 0 <= user < len(logit.users)
    slopes = logit.users[user, 0] if known else np.zeros(logit.signals, np.float32)
    weights_of(logit.weights, slopes, *part_rows(events, -1.0 if gap is None else gap), out)
    return out


def scores_of(logit: ConditionalLogit, signals: Any, w: np.ndarray) -> np.ndarray:
    values, out = columns(signals), np.empty(len(signals), np.float32)
    score(Signals(values, np.arange(logit.signals), logit.knots, len(signals)), w, out)
    return out


def gradient_of(logit: ConditionalLogit, signals: Any, chosen: int, w: np.ndarray) -> np.ndarray:
    out = np.empty(5 * logit.signals, np.float32)
    scores = scores_of(logit, signals, w)
    asked = Signals(columns(signals), np.arange(logit.signals), logit.knots, len(signals))
    gradient(asked, chosen, scores, out)
    return out


def learn(
    logit: ConditionalLogit,
    signals: Any,
    chosen: int,
    events: int = 0,
    user: int | None = None,
    gap: float | None = None,
) -> None:
    logit.reserve(0 if user is None else user + 1)
    g = gradient_of(logit, signals, chosen, weights_for(logit, user, events, gap))
    bucket, rest = part_rows(events, -1.0 if gap is None else gap)
    step(logit.weights, logit.squares, NO_SLOPES if user is None else logit.users[user], bucket, rest, g)


@pytest.mark.parametrize(("count", "part"), [(0, 1), (1, 2), (4, 2), (5, 3), (19, 3), (20, 4), (999, 4)])
def test_history_buckets(count: int, part: int) -> None:
    assert part_rows(count, -1.0)[0] == part


@pytest.mark.parametrize(
    ("gap", "part"), [(-1.0, 5), (0.0, 6), (59.0, 6), (60.0, 7), (3600.0, 8), (86400.0, 9), (1e9, 10)]
)
def test_gap_classes(gap: float, part: int) -> None:
    """A negative gap is that of a user without events."""
    assert part_rows(0, gap)[1] == part
    assert part < len(logit_of(1).weights) == PARTS


def test_one_step_by_hand() -> None:
    """Equal scores: P = 1/2, gradient = mean - chosen = (-1/2, 0); each part moves by rate · ½ / √(0.9995 + 1/4), the
    user's slope by rate · ½ / √(1 + 1/4)."""
    logit = logit_of(2)
    learn(logit, [[1.0, 3.0], [0.0, 3.0]], 0, user=1)
    part, own = RATE * 0.5 / np.sqrt(FORGET + 0.25), RATE * 0.5 / np.sqrt(1.25)
    np.testing.assert_allclose(weights_for(logit, 1, 0, None)[:2], [3 * part + own, 0], rtol=1e-5)
    np.testing.assert_allclose(weights_for(logit, None, 0, None)[:2], [3 * part, 0], rtol=1e-5)
    np.testing.assert_allclose(weights_for(logit, None, 5, None)[:2], [2 * part, 0], rtol=1e-5)
    np.testing.assert_allclose(weights_for(logit, None, 5, 1.0)[:2], [part, 0], rtol=1e-5)
    logit.drop_user(1)
    np.testing.assert_allclose(weights_for(logit, 1, 0, None)[:2], [3 * part, 0], rtol=1e-5)


def test_signals_bend_at_their_knots() -> None:
    """x = 3 with knots 1, 2, 4, 5: 3, then 2, 1, 0, 0 beyond them: 1 · 3 + 10 · 2 + 100 · 1."""
    logit = ConditionalLogit(np.zeros(1), np.array([[1.0], [2.0], [4.0], [5.0]]), ("s",))
    logit.weights[0] = [1.0, 10.0, 100.0, 1000.0, 1000.0]
    assert bent(np.array([[3.0]]), logit.knots).tolist() == [[3, 2, 1, 0, 0]]
    np.testing.assert_allclose(scores_of(logit, [[3.0]], weights_for(logit, None, 0, None)), [123.0])


def test_a_gradient_by_hand() -> None:
    """Scores 0 and log 3: P = ¼, ¾. Signals 2, 4 with a knot at 3; the first is chosen: Σ P x - 2 = 1.5, Σ P b = ¾."""
    logit = ConditionalLogit(np.zeros(1), np.array([[3.0], [9.0], [9.0], [9.0]]), ("s",))
    w = np.array([0, np.log(3), 0, 0, 0], np.float32)
    np.testing.assert_allclose(scores_of(logit, [[2.0], [4.0]], w), [0, np.log(3)], rtol=1e-6)
    np.testing.assert_allclose(gradient_of(logit, [[2.0], [4.0]], 0, w), [1.5, 0.75, 0, 0, 0], rtol=1e-6)


def test_ties_count_against_the_chosen() -> None:
    scores = np.array([1.0, 3.0, 1.0, 0.0, 9.0], np.float32)
    assert [rank_of(scores, 4, chosen) for chosen in range(4)] == [2, 0, 2, 3]


@pytest.mark.parametrize("seed", range(3))
def test_steps_are_those_of_the_plain_rule(seed: int) -> None:
    """Scores, weights, squares and users' slopes agree after a stream of choices in all contexts."""
    random, signals, users = np.random.default_rng(seed), 4, 6
    knots, prior = np.sort(random.normal(size=(BENDS, signals)), 0), random.normal(size=signals)
    logit = ConditionalLogit(prior, knots, tuple("abcd"))
    logit.reserve(users)
    plain = PlainLogit(prior, logit.knots.astype(np.float64), PARTS, users)
    for _ in range(150):
        x = random.normal(size=(int(random.integers(2, 40)), signals)).astype(np.float32)
        events, user, chosen = (
            int(random.integers(40)),
            int(random.integers(users)),
            int(random.integers(len(x))),
        )
        gap = None if random.random() < 0.2 else float(random.exponential(1e5))
        parts = [0, *part_rows(events, -1.0 if gap is None else gap)]
        w = weights_for(logit, user, events, gap)
        np.testing.assert_allclose(scores_of(logit, x, w), plain.scores(x, parts, user), rtol=1e-3, atol=1e-4)
        found, wanted = (
            gradient_of(logit, x, chosen, w),
            plain.gradient(x.astype(np.float64), chosen, parts, user),
        )
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)
        learn(logit, x, chosen, events, user, gap)
        plain.learn(x.astype(np.float64), chosen, parts, user)
    np.testing.assert_allclose(logit.weights, plain.weights, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(logit.squares, plain.squares, rtol=1e-3)
    np.testing.assert_allclose(logit.users[:users, 0], plain.slopes, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(logit.users[:users, 1], plain.slope_squares, rtol=1e-3, atol=1e-5)


def test_finds_the_weights_of_a_logit_population() -> None:
    random, truth = np.random.default_rng(0), np.array([1.5, -1.0, 0.0])
    logit = logit_of(3)
    for _ in range(6000):
        signals = random.normal(size=(10, 3))
        p = np.exp(signals @ truth)
        chosen = int(random.choice(10, p=p / p.sum()))
        learn(logit, signals, chosen, int(random.integers(40)))
    np.testing.assert_allclose(weights_for(logit, None, 30, None)[:3], truth, atol=0.3)


def test_a_signal_that_is_not_finite_is_not_learned() -> None:
    logit = logit_of(1)
    learn(logit, [[np.nan], [1.0]], 0, user=0)
    assert not logit.weights.any()
    assert not logit.users.any()


def test_weights_are_taken_up_by_name() -> None:
    """When signals move, come and go, the weights of the others stay with them."""
    old = ConditionalLogit(np.zeros(3), np.full((BENDS, 3), 1e9), ("a", "b", "gone"))
    for _ in range(5):
        learn(old, [[1.0, 0.0, 2.0], [0.0, 3.0, 1.0]], 0, user=2)
    new = ConditionalLogit(np.array([0.7, 0.0, 0.0]), np.full((BENDS, 3), 1e9), ("new", "b", "a"))
    new.load(old.state())
    before, after = weights_for(old, 2, 0, None), weights_for(new, 2, 0, None)
    np.testing.assert_array_equal(after[[2, 1]], before[[0, 1]])
    assert after[0] == np.float32(0.7)


def test_weights_without_names_must_fit() -> None:
    old = logit_of(2).state()
    del old["names"]
    logit_of(2).load(old)
    with pytest.raises(ValueError, match="2 unnamed signals for 3"):
        logit_of(3).load(old)


def test_a_fresh_one_has_the_weights_and_large_steps() -> None:
    logit = logit_of(2)
    for _ in range(20):
        learn(logit, [[1.0, 3.0], [0.0, 3.0]], 0, user=1)
    fresh = logit.fresh()
    np.testing.assert_array_equal(fresh.weights, logit.weights)
    assert (fresh.squares == 1.0).all()
    assert len(fresh.users) == 0
    learn(fresh, [[0.0, 3.0], [1.0, 3.0]], 0)
    logit.take_over(fresh)
    np.testing.assert_array_equal(fresh.weights, logit.weights)
    assert logit.users[1].any()
