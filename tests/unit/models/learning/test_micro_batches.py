"""A stream is cut into micro-batches."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from models.learning.micro_batches import micro_batches
from models.schema import Interaction


def stream(times: list[int]) -> list[Interaction]:
    return [Interaction("a", "click", f"u{n}", "i", time) for n, time in enumerate(times)]


def test_by_hand() -> None:
    """A batch has at most three events within 20 ms of its first; earlier and later times count alike."""
    cut = micro_batches(stream([0, 20, 21, 22, 30, 31, 32, 5]), most=3, span_ms=20)
    assert [[one.timestamp for one in batch] for batch in cut] == [[0, 20], [21, 22, 30], [31, 32], [5]]
    assert list(micro_batches([])) == []


@given(st.lists(st.integers(0, 60)), st.integers(1, 5), st.integers(0, 30))
def test_every_event_is_in_one_batch_and_no_batch_could_go_on(times: list[int], most: int, span: int) -> None:
    events = stream(times)
    cut = list(micro_batches(events, most, span))
    assert [one for batch in cut for one in batch] == events
    for batch in cut:
        assert 1 <= len(batch) <= most
        assert all(abs(one.timestamp - batch[0].timestamp) <= span for one in batch)
    for batch, following in itertools.pairwise(cut):
        assert len(batch) == most or abs(following[0].timestamp - batch[0].timestamp) > span
