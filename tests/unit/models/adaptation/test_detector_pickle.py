"""A checkpoint cannot run code: a pickle of a detector names the parts of a detector only."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from river.drift import ADWIN, PageHinkley
from river.stats import Mean

from models.adaptation.detector_pickle import dumped, loaded
from models.adaptation.drift_detectors import WARM_UP, DriftDetectors


class Calls:
    """Pickled, it calls a function when it is read."""

    def __init__(self, function: Any, *words: Any) -> None:
        self.call = function, words

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("mode", ["up", "down", "both"])
def test_every_direction_of_page_hinkley_is_read(mode: Literal["up", "down", "both"]) -> None:
    """And goes on as the one that was kept."""
    one = PageHinkley(mode=mode)
    for n in range(100):
        one.update(float(n % 5))
    two = loaded(dumped(one))
    for n in range(200):
        one.update(float(n))
        two.update(float(n))
        assert one.drift_detected == two.drift_detected


@pytest.mark.parametrize("function", [os.system, getattr, eval, print], ids=lambda one: str(one.__name__))
def test_nothing_else_is_called(function: Any, tmp_path: Path) -> None:
    """Neither a command, nor a way to one."""
    file = tmp_path / "made"
    words = (f"touch {file}",) if function is not getattr else (Mean(), "__class__")
    with pytest.raises(pickle.UnpicklingError, match="is no part of a detector"):
        loaded(pickle.dumps(Calls(function, *words)))
    assert not file.exists()


def test_no_other_attribute_of_a_detector_is_read() -> None:
    """Such as its class, from which every other class could be reached."""
    with pytest.raises(pickle.UnpicklingError, match="attribute __class__"):
        loaded(pickle.dumps(Calls(getattr, PageHinkley(), "__class__")))
    with pytest.raises(pickle.UnpicklingError, match="attribute _test_both"):
        loaded(pickle.dumps(Calls(getattr, ADWIN(), "_test_both")))


def test_such_a_state_begins_its_detector_again(tmp_path: Path) -> None:
    """As one of another version of River does: the service starts, and says so."""
    one = DriftDetectors()
    one.update("books", "bias", np.zeros(5))
    (state,) = one.state().values()
    file = tmp_path / "made"
    hostile = pickle.dumps(Calls(os.system, f"touch {file}"))
    two = DriftDetectors()
    two.load({"books\tbias": [hostile, *state[1:]]})
    assert not file.exists()
    assert two.watches["books", "bias"].quiet == WARM_UP
    assert "begins again" in two.notes[0]
