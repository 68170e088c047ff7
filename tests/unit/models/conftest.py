"""Provide fixtures that several tests of the learner share."""

from __future__ import annotations

import pytest

from models.learning.learner import Learner
from tests.support.learners import learner_stream


@pytest.fixture(scope="module")
def trained() -> Learner:
    """Return a trained learner. Treat it as read-only."""
    return learner_stream.trained()
