"""A learner takes up a large state without copying it where that is given away, and learns the same afterwards."""

from __future__ import annotations

import numpy as np

from models.state.given_state import given_away
from tests.support.learners.learner_stream import feed, learner, trained
from tests.support.learners.states import differences, read_back


def test_a_state_that_is_given_away_is_not_copied() -> None:
    """Its arrays are the learner's from then on; what the learner then learns is the same to the bit."""
    state = trained().state()
    given, copied = read_back(state), learner()
    copied.load(state)
    with given_away():
        took = learner()
        took.load(given)
    assert np.shares_memory(took.rating.taste.arrays.time, given["rating"]["taste"]["time"])
    assert not np.shares_memory(copied.rating.taste.arrays.time, state["rating"]["taste"]["time"])
    assert feed(took, 200, 300) == feed(copied, 200, 300)
    assert differences(took.state(), copied.state()) == []


def test_a_state_that_is_kept_stays_as_it_was() -> None:
    """What is learned after loading it does not change it."""
    state = trained().state()
    before, model = read_back(state), learner()
    model.load(state)
    feed(model, 200, 300)
    assert differences(before, read_back(state)) == []
