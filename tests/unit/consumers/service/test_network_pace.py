"""The network takes a step when many events wait, four times a second when some do, and when one is a second old.

Without a batch beside which to take it, it waits until one is a second old.
"""

from __future__ import annotations

import pytest

from consumers.config.schema import IntakeConfig
from consumers.service.stages.network_pace import NetworkPace
from tests.support.clock import Clock


@pytest.mark.parametrize(
    ("waiting", "since_step", "since_first", "due"),
    [
        (1024, 0.0, 0.0, True),
        (1023, 0.2, 0.2, False),
        (256, 0.25, 0.1, True),
        (255, 0.9, 0.9, False),
        (1, 5.0, 0.9, False),
        (1, 1.0, 1.0, True),
        (0, 9.0, 9.0, False),
    ],
)
def test_a_step_is_due(waiting: int, since_step: float, since_first: float, due: bool) -> None:
    clock = Clock()
    pace = NetworkPace(IntakeConfig(), clock)
    start = clock.now
    clock.now = start + 10.0 - since_step
    pace.stepped()
    clock.now = start + 10.0 - since_first
    assert not pace.due(1)
    clock.now = start + 10.0
    assert pace.due(waiting) == due
    assert pace.overdue(waiting) == (waiting > 0 and since_first >= 1.0)


def test_a_config_with_few_events_keeps_its_number() -> None:
    assert IntakeConfig(network_events=48).least_step == 48
    assert IntakeConfig().least_step == 256
