"""Cut a stream of events into micro-batches, by event time and by number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from models.schema import Interaction

SPAN_MS = 20
"""A micro-batch spans at most so much event time, as it would live."""
EVENTS = 16
"""It holds at most so many events: archives pack a whole day into one instant."""


def micro_batches(
    events: Iterable[Interaction], most: int = EVENTS, span_ms: int = SPAN_MS
) -> Iterator[list[Interaction]]:
    """Yield the events in runs of at most `most` that lie within `span_ms` of their first.

    >>> at = lambda ms: Interaction("a", "click", "u", "i", ms)
    >>> [len(batch) for batch in micro_batches([at(0), at(5), at(30), at(31)])]
    [2, 2]
    """
    batch: list[Interaction] = []
    for event in events:
        if batch and (len(batch) >= most or abs(event.timestamp - batch[0].timestamp) > span_ms):
            yield batch
            batch = []
        batch.append(event)
    if batch:
        yield batch
