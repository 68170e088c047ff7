"""Give rows without an event_id one that is made of their content, so that a file that is sent again is ignored."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from hashlib import blake2b

import msgspec

from consumers.datasets.record import Sent

GIVEN = b'"event_id":'
"""What the JSON of an event with an event_id holds."""


def with_event_ids(events: Iterable[Sent], remembered: int) -> Iterator[Sent]:
    """Yield the events, each with an event_id. Its own stays; another is a hash of what the event holds.

    An event without a time gets none: an equal row of another file may well be another event. Equal events differ by
    their number among each other.

    remembered: the latest event_ids that `run` knows. As many different events are kept here: one that comes again
    later may have the id of the first, which is forgotten by then.
    """
    counts: OrderedDict[bytes, int] = OrderedDict()
    for sent in events:
        value = sent.value
        if value is None or sent.timestamp is None or GIVEN in value:
            yield sent
            continue
        content = blake2b(sent.domain.encode() + b"\t" + value, digest_size=12).digest()
        number = counts.pop(content, 0)
        counts[content] = number + 1
        if len(counts) > remembered:
            counts.popitem(last=False)
        own = f'{content.hex()}-{number}"}}'.encode()
        yield msgspec.structs.replace(sent, value=value[:-1] + b"," + GIVEN + b'"' + own)
