"""A fit of text directions goes on beside learning, and gives what a fit at once gives."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import numpy as np
import pytest

from models.text.basis import SETTLED_TEXTS, TextBasis
from models.text.projection import FIT_FIRST, Key, Projection
from tests.support.learners.raw_vectors import keyed, projection, vectors, waiting
from tests.support.learners.states import differences, read_back


def ended(of: Projection, raw: dict[Key, np.ndarray], idle: bool) -> dict[Key, np.ndarray]:
    """Call `take` until a fit beside it has ended, and return all that it gave."""
    given = of.take(raw, idle, beside=True)
    deadline = time.monotonic() + 30
    while of.fits and time.monotonic() < deadline:
        given |= of.take({}, idle, beside=True)
    return given


def test_a_fit_beside_gives_what_a_fit_at_once_gives() -> None:
    """Also over several domains and fits, and where a domain has few texts."""
    at_once, beside = projection(), projection()
    for raw in (
        keyed(vectors(FIT_FIRST + 3), "a"),
        keyed(vectors(SETTLED_TEXTS, seed=1), "b"),
        keyed(vectors(4, seed=2), "a", start=500),
        keyed(vectors(SETTLED_TEXTS, seed=3), "a", start=1000),
    ):
        wanted, given = at_once.take(raw, idle=True), ended(beside, raw, idle=True)
        assert wanted.keys() == given.keys()
        for key, vector in wanted.items():
            assert np.array_equal(given[key], vector), key
    assert not differences(at_once.state(), beside.state())


def test_what_changes_during_a_fit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that come meanwhile are projected with the others; one that goes is not; the state has all that waits."""
    may_end, fit = threading.Event(), TextBasis.fit

    def slow(basis: TextBasis, texts: Mapping[str, np.ndarray]) -> None:
        assert may_end.wait(30)
        fit(basis, texts)

    monkeypatch.setattr(TextBasis, "fit", slow)
    of, raw = projection(), vectors(SETTLED_TEXTS + 1)
    assert of.take(keyed(raw[:-1]), idle=True, beside=True) == {}
    assert of.fits
    assert of.take(keyed(raw[-1:], start=SETTLED_TEXTS), idle=True, beside=True) == {}
    of.drop(("a", "0"))
    after_a_crash = projection()
    after_a_crash.load(read_back(of.live()))
    may_end.set()
    given = ended(of, {}, idle=True)
    assert given.keys() == {("a", str(n)) for n in range(1, SETTLED_TEXTS + 1)}
    assert not of.fits
    assert waiting(of, "a") == 0
    again = after_a_crash.take({}, idle=True)
    assert again.keys() == given.keys()


def test_a_fit_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_basis: TextBasis, _texts: Mapping[str, np.ndarray]) -> None:
        raise MemoryError

    monkeypatch.setattr(TextBasis, "fit", broken)
    with pytest.raises(MemoryError):
        ended(projection(), keyed(vectors(FIT_FIRST)), idle=True)
