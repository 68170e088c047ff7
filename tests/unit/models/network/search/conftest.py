"""Fixtures for trials of strategies that begin at once."""

from __future__ import annotations

import pytest
import torch

from models.network.search import strategy_search
from models.transfer.strategies import Trial

torch.set_num_threads(1)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials begin at once and are short."""
    monkeypatch.setattr("models.transfer.strategies.READY_EVENTS", 1)
    monkeypatch.setattr("models.transfer.strategies.COOLDOWN_FACTOR", 1)
    monkeypatch.setattr("models.transfer.strategies.MAX_TRIAL_STEPS", 3)
    monkeypatch.setattr(strategy_search, "READY_EVENTS", 1)


@pytest.fixture
def undecided(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """As `eager`, and no shadow is ever better."""
    request.getfixturevalue("eager")
    monkeypatch.setattr(Trial, "verdict", lambda trial: "open" if trial.steps < 3 else "worse")
