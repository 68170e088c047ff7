"""The examples in the network's docstrings do what they say."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from models.network import attention, embedding_table
from models.tables import replay_buffer


@pytest.mark.parametrize(
    "module",
    [attention, embedding_table, replay_buffer],
    ids=["attention", "embedding_table", "replay_buffer"],
)
def test_examples(module: ModuleType) -> None:
    result = doctest.DocTestFinder(exclude_empty=True).find(module)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    outcomes = [runner.run(found) for found in result]
    assert sum(outcome.attempted for outcome in outcomes) > 0
    assert sum(outcome.failed for outcome in outcomes) == 0
