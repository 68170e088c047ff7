"""Hold what other copies of the shared tables need of a micro-batch of learned events: columns, without users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

RECENT = 30
"""Most of a user's latest items in a fact: as many as the network reads. Co-visits count fewer."""


Moves = dict[str, NDArray[np.float16]]
"""By name, how events moved weights of the ranker; see `models/ranking/shared_weights.py`."""


class Bias(NamedTuple):
    """Weights of a rating bias that a shard has taken up for a domain: by name, weight and variance; none of a user."""

    domain: str
    weights: dict[str, tuple[float, float]]


class Shows(NamedTuple):
    """What shows of a domain's items and clicks on them add to appeals; see `models/learning/shown/appeal.py`.

    ids: of the items. clicks, expected, shows: (n,).
    """

    domain: str
    ids: list[str]
    clicks: NDArray[np.float32]
    expected: NDArray[np.float32]
    shows: NDArray[np.uint32]


class SharedMoves(NamedTuple):
    """How a shard's own events moved its ranker since its facts before these. number: counts them, for each shard.

    biases: what its adaptation loop has taken up meanwhile. shows: what its users were shown meanwhile, and clicked.
    shown: topics, partitions, and the next offset of each: shows and clicks before it are in these or earlier `shows`.
    Those where nothing was shown or clicked meanwhile are left out.
    """

    shard: int
    number: int
    moves: Moves
    biases: list[Bias]
    shows: Sequence[Shows] = ()
    shown: Sequence[tuple[str, int, int]] = ()


class Place(NamedTuple):
    """Where an event was read."""

    topic: str
    partition: int
    offset: int


class Latest(NamedTuple):
    """The latest items of B users before their events, newest first, one user after the other: N items in all.

    lengths: (B,) the number of items of each user. domain, item: (N,) see `SharedFacts`. age: (N,) log(1 + s), where s
    is the time in seconds from the newest item to the event, and from each other item to the newest.
    """

    lengths: NDArray[np.uint8]
    domain: NDArray[np.int8]
    item: NDArray[np.uint32]
    age: NDArray[np.float16]


class Rated(NamedTuple):
    """What R ratings among the events taught: for the models of all domains and of the target alone.

    event: (R,) their places in the batch, ascending. value: (R,) in rating units. external: (R,) the network's
    residual, in rating units. residual: (R,) the rating minus the prediction without the network. lesson: (R, 2, 2)
    error and innovation by both models, nan for none. taste: (R, 2, k) θ_u of both.
    """

    event: NDArray[np.uint32]
    value: NDArray[np.float64]
    external: NDArray[np.float32]
    residual: NDArray[np.float32]
    lesson: NDArray[np.float32]
    taste: NDArray[np.float16]

    def take(self, places: NDArray[np.int64]) -> Rated:
        """Return the ratings of some events, which are numbered anew. places: ascending."""
        kept = np.isin(self.event, places)
        event = np.searchsorted(places, self.event[kept]).astype(np.uint32)
        return Rated(
            event,
            self.value[kept],
            self.external[kept],
            self.residual[kept],
            self.lesson[kept],
            self.taste[kept],
        )


class SharedFacts(NamedTuple):
    """B learned events of one micro-batch, in their order.

    sources: topics and partitions. source: (B,) which of them an event came from. offset: (B,). domains: names. ids:
    for each domain, the ids of the items that the columns name by number. domain, item: (B,) indices. time: (B,) Unix
    ms of the event. events: (B,) the number of the user's earlier events in the domain. losses: (B, arms) squared
    errors of the arms, nan for none. rank: (B, arms) by each arm, 255 for none; places from the tenth on are 10.
    context: names of contexts by the place of their event.

    It holds no user id, no event id and no pseudonym. The taste in `rated` says nothing without the item's copy of it.
    """

    sources: list[tuple[str, int]]
    source: NDArray[np.uint16]
    offset: NDArray[np.int64]
    domains: list[str]
    ids: list[list[str]]
    domain: NDArray[np.int8]
    item: NDArray[np.uint32]
    time: NDArray[np.int64]
    events: NDArray[np.uint32]
    latest: Latest
    rated: Rated
    losses: NDArray[np.float32]
    rank: NDArray[np.uint8]
    context: dict[int, tuple[str, ...]]
    moves: SharedMoves | None = None
    """With the last of the facts that a shard sends at a time."""

    @property
    def size(self) -> int:
        """The number of events."""
        return len(self.offset)

    def take(self, places: NDArray[np.int64]) -> SharedFacts:
        """Return some of the events. places: (n,) ascending."""
        if len(places) == self.size:
            return self
        held = self.latest
        kept = np.zeros(self.size, np.bool_)
        kept[places] = True
        items = np.repeat(kept, held.lengths)
        latest = Latest(held.lengths[places], held.domain[items], held.item[items], held.age[items])
        context = {n: self.context[at] for n, at in enumerate(places.tolist()) if at in self.context}
        return self._replace(
            source=self.source[places], offset=self.offset[places], domain=self.domain[places],
            item=self.item[places], time=self.time[places], events=self.events[places], latest=latest,
            rated=self.rated.take(places), losses=self.losses[places], rank=self.rank[places], context=context,
        )  # fmt: skip

    def parts(self, most: int) -> list[SharedFacts]:
        """Return the events in parts of at most `most`."""
        if self.size <= most:
            return [self]
        starts = range(0, self.size, most)
        return [self.take(np.arange(start, min(start + most, self.size))) for start in starts]


def _none(kind: type[np.generic], *shape: int) -> NDArray[Any]:
    return np.zeros((0, *shape), kind)


NO_FACTS = SharedFacts(
    [], _none(np.uint16), _none(np.int64), [], [], _none(np.int8), _none(np.uint32), _none(np.int64),
    _none(np.uint32), Latest(_none(np.uint8), _none(np.int8), _none(np.uint32), _none(np.float16)),
    Rated(
        _none(np.uint32), _none(np.float64), _none(np.float32), _none(np.float32), _none(np.float32, 2, 2),
        _none(np.float16, 2, 0),
    ),
    _none(np.float32, 1), _none(np.uint8, 1), {},
)  # fmt: skip
"""Facts of no event."""
