"""What texts say of appeal is learned from clicks, shared by domains, and only where there is something."""

from __future__ import annotations

import numpy as np
import pytest

from models.learning.shown.text_appeal import LONGEST, OWN_VARIANCE, VARIANCE, TextAppeal

DIM, ITEMS, RATE = 8, 300, 0.1


def taught(truth: list[np.ndarray], rounds: int, seed: int = 0) -> tuple[TextAppeal, np.ndarray]:
    """Return a regression of clicks on texts, and the texts. truth: (dim,) of each domain. rounds: of 64 shows each."""
    rng, texts = np.random.default_rng(seed), TextAppeal(len(truth), DIM)
    units = rng.standard_normal((ITEMS, DIM))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    for _ in range(rounds):
        for domain, weights in enumerate(truth):
            z = units[rng.integers(ITEMS, size=64)]
            clicks = rng.poisson(RATE * np.exp(z @ weights)).astype(np.float64)
            texts.learn(domain, z, RATE * np.exp(texts.of(domain, z)), clicks, np.ones(64), 6)
    return texts, units


def test_a_step_by_hand() -> None:
    """One text, one click where a tenth was expected: half a step of .9 / (1 / variance + .1), for both weights."""
    texts = TextAppeal(1, 1)
    texts.learn(0, np.ones((1, 1)), np.array([0.1]), np.ones(1), np.ones(1), 0)
    steps = [0.45 / (1 / OWN_VARIANCE + 0.1), 0.45 / (1 / VARIANCE + 0.1)]
    assert texts.weights[:, 0].tolist() == pytest.approx(steps)
    assert max(steps) < LONGEST


def test_it_finds_what_texts_say() -> None:
    """After 38,400 shows the prediction is near the truth; where texts say nothing it is near nothing."""
    truth = np.array([1.0, -1.0, 0.5, 0, 0, 0, 0, 0])
    texts, units = taught([truth, np.zeros(DIM)], 600)
    said = texts.of(0, units)
    assert np.corrcoef(said, units @ truth)[0, 1] > 0.9
    assert np.abs(said - units @ truth).mean() < 0.25
    assert np.abs(texts.of(1, units)).mean() < 0.2


def test_a_domain_without_evidence_leans_on_others() -> None:
    """It is told about half of what two domains agree in."""
    truth = np.array([1.0, -1.0, 0.5, 0, 0, 0, 0, 0])
    texts, units = taught([truth, truth], 300)
    alone = TextAppeal(3, DIM)
    alone.load({})
    assert not alone.known
    three = TextAppeal(3, DIM)
    three.weights[:2], three.weights[-1] = texts.weights[:2], texts.weights[-1]
    assert np.corrcoef(three.of(2, units), units @ truth)[0, 1] > 0.9
    assert np.abs(three.of(2, units)).mean() > 0.3 * np.abs(units @ truth).mean()


def test_a_state_goes_on() -> None:
    """Bit for bit; one of other domains begins anew."""
    truth = np.arange(DIM) / DIM
    texts, units = taught([truth], 20)
    again, other = TextAppeal(1, DIM), TextAppeal(2, DIM)
    again.load(texts.state())
    other.load(texts.state())
    assert not other.known
    for one in (texts, again):
        one.learn(0, units[:8], np.full(8, RATE), np.ones(8), np.ones(8), 1)
    assert texts.weights.tolist() == again.weights.tolist()
