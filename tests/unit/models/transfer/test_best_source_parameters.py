"""θ_s* are the parameters under which a source's last events were predicted best."""

from __future__ import annotations

import numpy as np
import torch

from models.transfer.best_source_parameters import BLOCK, WINDOW, BestSource
from tests.support.learners.states import differences


def add(best: BestSource, value: float, loss: float, events: int = BLOCK) -> None:
    best.add(torch.tensor([value, -value]), np.full(events, loss, np.float32))


def test_the_lowest_mean_loss_wins() -> None:
    """Of blocks with losses 3, 1, 2 the second one's parameters win, anywhere in the window."""
    best = BestSource()
    for value, loss in ((1.0, 3.0), (2.0, 1.0), (3.0, 2.0)):
        add(best, value, loss)
    found = best.best()
    assert found is not None
    assert found.tolist() == [2.0, -2.0]


def test_no_verdict_on_a_few_events() -> None:
    """Small micro-batches fill a block together; until it is full there is no best."""
    best = BestSource()
    add(best, 1.0, 0.5, 0)
    add(best, 1.0, 0.5, BLOCK - 1)
    assert best.best() is None
    add(best, 9.0, 0.5, 1)
    found = best.best()
    assert found is not None
    assert found.tolist() == [1.0, -1.0]


def test_the_window_passes_and_stays_bounded() -> None:
    """A lucky block is forgotten after 4,096 further events, and no more than they need is kept."""
    best = BestSource()
    add(best, 1.0, 0.0)
    for n in range(WINDOW // BLOCK):
        assert (found := best.best()) is not None
        assert found[0] == 1.0
        add(best, 2.0 + n, 1.0)
    assert (found := best.best()) is not None
    assert found[0] == 2.0
    assert len(best.state()["events"]) == WINDOW // BLOCK


def test_a_drift_makes_it_forget() -> None:
    best = BestSource()
    add(best, 1.0, 0.0)
    best.forget()
    assert best.best() is None


def test_the_parameters_are_a_copy() -> None:
    """Kept parameters are copies, because the network goes on in the same memory."""
    best, theta = BestSource(), torch.ones(2)
    best.add(theta, np.zeros(BLOCK, np.float32))
    theta += 1
    assert (found := best.best()) is not None
    assert found.tolist() == [1.0, 1.0]


def test_state_round_trip() -> None:
    """States round-trip: empty, with an open block, and with several blocks."""
    one = BestSource()
    for events in (0, 10, BLOCK, BLOCK):
        add(one, float(events), 1.0, events)
        two = BestSource()
        two.load(one.state())
        assert differences(one.state(), two.state()) == []
        add(one, 5.0, 0.1, 300)
        add(two, 5.0, 0.1, 300)
        assert differences(one.state(), two.state()) == []
