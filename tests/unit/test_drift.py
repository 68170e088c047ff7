"""Change detection: quiet on a steady error, prompt on a change, and part of the state."""

from __future__ import annotations

import random

from models.drift import DriftDetectors


def errors(n: int, mean: float, seed: int) -> list[float]:
    rng = random.Random(seed)
    return [max(0.0, rng.gauss(mean, 0.3)) for _ in range(n)]


def run(detectors: DriftDetectors, values: list[float], domain: str = "d", metric: str = "rmse") -> list[int]:
    return [n for n, value in enumerate(values) if detectors.update(domain, metric, value)]


def test_quiet_on_a_steady_error() -> None:
    """Noise alone is no drift, for many events and several seeds."""
    for seed in range(3):
        assert run(DriftDetectors(), errors(5000, 1.0, seed)) == []


def test_a_sudden_change_is_found_soon() -> None:
    """An error that doubles is noticed within a few hundred events; count and shift are kept."""
    detectors = DriftDetectors()
    found = run(detectors, errors(2000, 1.0, 0) + errors(1000, 2.0, 1))
    assert found
    assert 2000 <= found[0] < 2300
    assert detectors.count["d", "rmse"] == len(found)
    assert 0 < detectors.score["d", "rmse"] < 2


def test_domains_and_metrics_are_watched_apart() -> None:
    """A change in one raises no alarm in another."""
    detectors = DriftDetectors()
    for n, value in enumerate(errors(3000, 1.0, 0)):
        detectors.update("steady", "rmse", value)
        detectors.update("d", "ndcg_loss", value)
        detectors.update("d", "rmse", value + (n >= 2000))
    assert detectors.count[("steady", "rmse")] == detectors.count[("d", "ndcg_loss")] == 0
    assert detectors.count[("d", "rmse")] > 0


def test_state_round_trips() -> None:
    """A restored detector finds the same drifts at the same events, and has the same state."""
    values = errors(1500, 1.0, 0) + errors(1000, 1.6, 1)
    one, two = DriftDetectors(), DriftDetectors()
    run(one, values[:1400])
    two.load(one.state())
    assert two.state() == one.state()
    assert run(one, values[1400:]) == run(two, values[1400:]) != []
    assert two.state() == one.state()
    assert (two.count, two.score) == (one.count, one.score)
