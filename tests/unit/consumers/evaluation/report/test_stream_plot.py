"""The plot can be read with few and with many events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from consumers.errors import Stop
from consumers.evaluation.metrics import TargetEvents
from consumers.evaluation.predictions import ArmOutcome
from consumers.evaluation.report.stream_plot import spans, window_of, write_plot
from tests.support.evaluated import data_of

FULL, TARGET_ONLY, BEST, GREY = (31, 111, 180), (217, 102, 11), (122, 59, 154), (184, 184, 184)


@pytest.mark.parametrize("events", [3_000, 300_000])
def test_windows_hold_enough_events_and_lines_few_points(events: int) -> None:
    """A window has 200 events or more, and a line at most 50 points, the last one at the end of the stream."""
    window = window_of(events)
    found = spans(events, window)
    assert window >= 200
    assert 2 < len(found) <= 50
    assert all(end - first == window for first, end in found)
    assert found[-1][1] == events
    assert {first for first, _ in spans(events, None)} == {0}


@pytest.mark.parametrize("events", [1, 2, 60, 199])
def test_a_stream_shorter_than_a_window_has_means_of_all_so_far(events: int) -> None:
    found = spans(events, window_of(events))
    assert {first for first, _ in found} == {0}
    assert found[-1][1] == events


def test_the_learner_and_the_best_other_arm_have_colours_and_the_others_are_grey(tmp_path: Path) -> None:
    """The network's error is the lowest of the other arms, and popularity's place the best."""
    data = data_of(600, 30)
    rng = np.random.default_rng(0)
    outcomes = []
    errors = {"full": 0.5, "target_only": 0.7, "network": 0.9, "river_biased_mf_all": 1.2}
    places = {"full": 0, "target_only": 1, "popularity_3d": 2, "co_visitation": 5}
    for arm in dict.fromkeys((*errors, *places)):
        outcome = ArmOutcome(arm, 0, 600)
        if arm in errors:
            outcome.prediction[:] = 1 + np.arange(600) % 5 + rng.normal(0, errors[arm], 600)
        if arm in places:
            outcome.rank[200:] = places[arm]
        outcomes.append(outcome)
    write_plot(tmp_path / "p.png", TargetEvents(data), outcomes, "games")
    pixels = np.asarray(Image.open(tmp_path / "p.png").convert("RGB")).reshape(-1, 3)
    for colour in (FULL, TARGET_ONLY, BEST, GREY):
        assert (np.abs(pixels.astype(int) - colour).sum(1) < 6).sum() > 300
    with pytest.raises(Stop, match=r"--plot .*webm"):
        write_plot(tmp_path / "p.webm", TargetEvents(data), outcomes, "games")


def test_an_arm_of_shards_is_no_other(tmp_path: Path) -> None:
    """It is the learner's own: where nothing else was measured, there is no best other."""
    data = data_of(600, 30)
    rng = np.random.default_rng(0)
    outcomes = []
    for arm in ("full", "target_only", "full_shards", "full_isolated"):
        outcome = ArmOutcome(arm, 0, 600)
        outcome.prediction[:] = 1 + np.arange(600) % 5 + rng.normal(0, 0.5, 600)
        outcomes.append(outcome)
    write_plot(tmp_path / "p.png", TargetEvents(data), outcomes, "games")
    pixels = np.asarray(Image.open(tmp_path / "p.png").convert("RGB")).reshape(-1, 3)
    assert (np.abs(pixels.astype(int) - FULL).sum(1) < 6).sum() > 300
    assert not (np.abs(pixels.astype(int) - BEST).sum(1) < 6).any()
