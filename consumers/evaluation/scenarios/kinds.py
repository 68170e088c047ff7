"""Name the scenarios: what can happen in a simulated world."""

from __future__ import annotations

from typing import Literal, get_args

Scenario = Literal["sudden", "gradual", "recurring", "stationary", "poisoned-source", "zero-overlap"]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
