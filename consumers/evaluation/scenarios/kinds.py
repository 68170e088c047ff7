"""Name the scenarios: what can happen in a simulated world."""

from __future__ import annotations

from typing import Literal, get_args

Scenario = Literal["sudden", "gradual", "recurring", "stationary", "poisoned-source", "zero-overlap"]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
CLOSED_LOOP = "closed-loop"
"""The scenario in which users see only what they are shown: `consumers/evaluation/closed_loop`."""
