"""Cut a stream of events into micro-batches, by event time and by number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from models.schema import Interaction

SPAN_MS = 20
"""The most event time of a micro-batch in ms, about as in a live stream."""
EVENTS = 16
"""The most events of a micro-batch, because archives may give all events of a day the same time."""


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
