"""Provide fixtures for trials of strategies that begin at once."""

from __future__ import annotations

import pytest
import torch

from models.network.search import strategy_search
from models.transfer.strategies import Trial

torch.set_num_threads(1)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make trials begin at once and end soon."""
    monkeypatch.setattr("models.transfer.strategies.READY_EVENTS", 1)
    monkeypatch.setattr("models.transfer.strategies.COOLDOWN_FACTOR", 1)
    monkeypatch.setattr("models.transfer.strategies.MAX_TRIAL_STEPS", 3)
    monkeypatch.setattr(strategy_search, "READY_EVENTS", 1)


@pytest.fixture
def undecided(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Make trials as `eager` does, and let no shadow ever be better."""
    request.getfixturevalue("eager")
    monkeypatch.setattr(Trial, "verdict", lambda trial: "open" if trial.steps < 3 else "worse")
