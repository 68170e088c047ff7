"""`crosscurrent evaluate`: the learner of `run` against simple arms, prequentially, on recorded or simulated events."""

from __future__ import annotations

from typing import Literal, get_args

Scenario = Literal["sudden", "gradual", "recurring", "stationary", "poisoned-source", "zero-overlap"]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
"""What can happen in a simulated world (`scenario_world`); here, because the command line needs the names at once."""
