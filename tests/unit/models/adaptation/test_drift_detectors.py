"""Detectors are quiet on a steady stream, quick after a change, and part of the state."""

from __future__ import annotations

import random

import numpy as np
import pytest

from models.adaptation.drift_detectors import COOLDOWN, WARM_UP, Detector, DriftDetectors


def values(n: int, mean: float, seed: int, deviation: float = 0.3) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(mean, deviation) for _ in range(n)]


def run(
    detectors: DriftDetectors, stream: list[float], detector: Detector = "rating_error", size: int = 7
) -> list[int]:
    """Return the places of alarms, in batches of `size`."""
    return [
        begin + n
        for begin in range(0, len(stream), size)
        for n in detectors.update("d", detector, np.array(stream[begin : begin + size]))
    ]


@pytest.mark.parametrize("detector", ["bias", "rating_error", "popularity", "divergence", "ranking_error"])
def test_quiet_on_a_steady_stream(detector: Detector) -> None:
    """Noise alone is no drift, for many events and several seeds."""
    for seed in range(3):
        assert run(DriftDetectors(), values(20_000, 1.0, seed), detector=detector) == []


@pytest.mark.parametrize("sign", [1, -1])
def test_a_shift_of_the_bias_is_found_within_a_hundred_events(sign: int) -> None:
    """A shift by one deviation, up or down, is found, and the score is about the shift."""
    detectors = DriftDetectors()
    stream = values(4000, 0.0, 0, 0.8) + values(300, 0.8 * sign, 1, 0.8)
    found = run(detectors, stream, detector="bias")
    assert len(found) == 1
    assert 4000 < found[0] < 4100
    watch = detectors.watches["d", "bias"]
    assert watch.count == 1
    assert 0.3 < watch.score * sign < 1.3


def test_a_rising_error_is_found_and_a_falling_one_is_learning() -> None:
    """An error that doubles is noticed within a few hundred events; one that halves is no alarm."""
    detectors = DriftDetectors()
    found = run(detectors, values(2000, 1.0, 0) + values(1000, 2.0, 1))
    assert found
    assert 2000 <= found[0] < 2300
    assert run(DriftDetectors(), values(2000, 2.0, 0) + values(1000, 1.0, 1)) == []


def test_a_significant_but_small_shift_is_none() -> None:
    """A rise by 0.05 is significant after 20,000 values, but too small for an action."""
    assert run(DriftDetectors(), values(20_000, 1.0, 0) + values(20_000, 1.05, 1)) == []


def test_no_alarm_while_warming_up_and_after_another() -> None:
    """The first values of a domain, and those after an alarm, raise no alarm."""
    assert run(DriftDetectors(), values(WARM_UP // 2, 0.0, 0) + values(WARM_UP // 2, 5.0, 1)) == []
    detectors = DriftDetectors()
    found = run(
        detectors, values(2000, 0.0, 0) + values(COOLDOWN // 2, 3.0, 1) + values(COOLDOWN // 2, 6.0, 2)
    )
    assert len(found) == 1


def test_domains_and_detectors_are_watched_apart() -> None:
    """A change in one raises no alarm in another."""
    detectors = DriftDetectors()
    steady = np.array(values(3000, 1.0, 0))
    detectors.update("steady", "rating_error", steady)
    detectors.update("d", "ranking_error", steady)
    detectors.update("d", "rating_error", steady + (np.arange(3000) >= 2000))
    assert detectors.watches["steady", "rating_error"].count == 0
    assert detectors.watches["d", "ranking_error"].count == 0
    assert detectors.watches["d", "rating_error"].count > 0


@pytest.mark.parametrize("detector", ["bias", "rating_error"])
def test_batches_change_nothing(detector: Detector) -> None:
    """One value at a time, a few or all lead to the same alarms of the same size."""
    stream = values(1500, 1.0, 0) + values(1500, 1.6, 1) + values(1500, 2.4, 2)
    told, scores = [], []
    for size in (1, 7, len(stream)):
        detectors = DriftDetectors()
        told.append(run(detectors, stream, detector, size))
        scores.append(detectors.watches["d", detector].score)
    assert told[0] == told[1] == told[2] != []
    assert scores == pytest.approx([scores[0]] * 3)


@pytest.mark.parametrize("detector", ["bias", "rating_error"])
def test_state_round_trips(detector: Detector) -> None:
    """A restored detector finds the same drifts at the same events, and has the same state."""
    stream = values(1500, 1.0, 0) + values(1000, 1.6, 1)
    one, two = DriftDetectors(), DriftDetectors()
    run(one, stream[:1400], detector=detector)
    two.load(one.state())
    assert two.state() == one.state()
    assert run(one, stream[1400:], detector=detector) == run(two, stream[1400:], detector=detector) != []
    assert two.state() == one.state()
