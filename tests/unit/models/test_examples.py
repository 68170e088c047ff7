"""Run the examples in the docstrings of `models`: each algorithm has one whose numbers can be worked out by hand."""

from __future__ import annotations

import doctest
import importlib

import pytest

from tests.support.paths import ROOT

SOURCES = sorted(path for path in (ROOT / "models").rglob("*.py") if ">>>" in path.read_text())
MODULES = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in SOURCES]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    """Every example in a docstring prints what it says, also for kernels."""
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    outcomes = [runner.run(test) for test in found]
    assert sum(outcome.attempted for outcome in outcomes) == _lines(name)
    assert sum(outcome.failed for outcome in outcomes) == 0


def _lines(name: str) -> int:
    """Return the number of examples that the source holds, so that none is passed over."""
    return SOURCES[MODULES.index(name)].read_text().count(">>> ")
