"""The demo compares the target's error after its drift, with the loop and without."""

from __future__ import annotations

import io
import multiprocessing

import numpy as np
import pytest
from rich.console import Console

from consumers.config.schema import Settings
from consumers.demo.drift_comparison import TARGET, WINDOW_EVENTS, Drifted, Kept, OtherPass, compare, show
from consumers.errors import Stop
from consumers.evaluation.scenarios.run import Trace
from consumers.simulator.presets import three_domains
from consumers.simulator.world import World
from consumers.simulator.world_settings import WorldSettings
from models.assessment.prequential import RMSE

EVENTS = 1600


def world(drifts: bool = True) -> WorldSettings:
    made = three_domains(EVENTS, seed=3)
    return made if drifts else WorldSettings(made.domains, EVENTS, seed=3)


def kept(events: int) -> Kept:
    """Return errors as if the service had erred by 1 in the first half and by 2 in the second."""
    seen = Kept()
    squares = np.where(np.arange(events) < events / 2, 1.0, 4.0)
    seen.add(np.full(events, seen.row(TARGET, RMSE, "followed")), squares)
    for other in (seen.row(TARGET, RMSE, "full"), seen.row("movies", RMSE, "followed")):
        seen.add(np.full(events, other), np.full(events, 9.0))
    return seen


def target_events() -> int:
    real = World(world())
    return sum(int((draw.domain == real.number[TARGET]).sum()) for draw in real.draws())


@pytest.fixture(scope="module")
def other() -> Trace:
    """Return what another pass finds."""
    out = io.StringIO()
    found = OtherPass(Settings(), world()).trace(Console(file=out))
    assert "once more, without adaptation" in out.getvalue()
    return found


def test_windows_after_the_drift(other: Trace) -> None:
    """The service's errors stand beside those of a learner without adaptation."""
    found = compare(kept(target_events()), other, world())
    assert found is not None
    assert found.before == pytest.approx(1.0)
    assert found.adapted[-1] == pytest.approx(2.0, abs=0.1)
    assert len(found.adapted) == len(found.not_adapted) == 1  # about 240 events, the drift in their middle
    assert 0.5 < found.not_adapted[0] < 2.0
    figures = found.figures()
    assert figures["window_events"] == WINDOW_EVENTS
    assert figures["error_after_drift_without_adaptation"] == [round(found.not_adapted[0], 4)]


def test_nothing_to_compare(other: Trace) -> None:
    """There is no comparison without a drift, or with too few events."""
    assert compare(kept(target_events()), other, world(drifts=False)) is None
    assert compare(kept(20), other, world()) is None


def test_a_pass_that_was_killed_is_an_error() -> None:
    """It is said, instead of waiting for a result."""
    made = OtherPass(Settings(), world())
    result = made.begin()
    for process in multiprocessing.active_children():
        process.kill()
    with pytest.raises(Stop, match="has ended"):
        made.trace(Console(file=io.StringIO()))
    assert result is made.begin(), "it begins once"


def test_bars() -> None:
    """The output has a line for each window with both errors, below the loop's story."""
    out = io.StringIO()
    show(Drifted(0.7, [1.0, 0.75], [1.1, 1.0]), ["games at its event 600: …"], Console(file=out, width=100))
    text = out.getvalue()
    assert "games at its event 600" in text
    assert "0 to    100" in text
    assert "0.750" in text
    assert "1.100" in text
    bars = [line.count("█") for line in text.splitlines() if "█" in line]
    assert bars[0] > bars[1]
