"""Keep what each user did: a short ring of recent items over all domains, and the items that they had in each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import DirtyKeys
from models.state.tracked_tables import CheckpointedRows
from models.tables.catalogue import Catalogue, grown, item_hash
from models.tables.event_rings import Done, Recalled, Rings, Seen, append, asking, contains, recall
from models.tables.ring_tables import RingTables, early_lists
from models.tables.seen_items import SeenItems, gather, lengths

SEEN_LIMIT = 2000
LAST_GENERATION = 2**32 - 1
"""Rings keep a generation in 32 bits."""


class Recent(NamedTuple):
    """A user's latest items, oldest first: domain, item row and time, (n,) each."""

    domain: NDArray[np.int8]
    row: NDArray[np.int32]
    time: NDArray[np.float64]
    """Seconds since the epoch."""


class History(CheckpointedRows):
    """For each user row: the last `length` events of any domain, and the latest 2,000 items seen in each domain.

    Recent entries point at item rows. `born` tells which rows were given to another item since; these are left out.
    Seen entries are hashes of item ids, so they outlive an item's eviction.
    """

    def __init__(
        self,
        catalogues: list[Catalogue],
        length: int = 50,
        written: DirtyKeys | None = None,
        seen_limit: int = SEEN_LIMIT,
    ) -> None:
        """Begin without events.

        length: of a ring. written: marks of user rows. seen_limit: items kept of a user's in a domain.
        """
        self.catalogues = catalogues
        self.written = written or DirtyKeys()
        self.length = length
        self.generation = 0
        """The number of items that have lost their row so far: what tells an entry from a later item of its row."""
        self._rings = RingTables(len(catalogues), length)
        self._born = np.zeros((len(catalogues), 0), np.int64)
        self._seen = [SeenItems(seen_limit) for _ in catalogues]

    @property
    def seen_items(self) -> int:
        """Items that users had, of all users together."""
        return sum(seen.total for seen in self._seen)

    @property
    def events(self) -> NDArray[np.int32]:
        """(user rows, domains): the number of events since the row was given to the user."""
        return self._rings.rings.events

    def rings(self) -> Rings:
        """Return the rings as a kernel sees them."""
        return self._rings.rings._replace(born=self._born)

    def recall(self, done: Done, together: bool = True) -> Recalled:
        """Return what each event's user did before it, and change nothing. together: see `recall`."""
        count = len(done.user)
        shape = (count, self.length)
        found = Recalled(
            np.empty(shape, np.int8), np.zeros(shape, np.int32), np.zeros(shape),
            np.empty(count, np.int64), np.empty(count, np.int64), np.zeros(shape, np.int8),
        )  # fmt: skip
        recall(self.rings(), done, together, found)
        return found

    def seen_before(self, done: Done, together: bool = True) -> Seen:
        """Return the items that users had in the events' domains before each event. together: see `recall`."""
        count = np.zeros(len(done.user), np.int64)
        for domain, seen in enumerate(self._seen):
            lengths(seen.arrays, domain, done, together, count)
        at = np.concatenate([[0], np.cumsum(count)])
        found, hashes = Seen(np.empty(at[-1], np.int64), at), self.hashes(done)
        for domain, seen in enumerate(self._seen):
            gather(seen.arrays, domain, done, hashes, found)
        return found

    def pack(self) -> None:
        """Leave no room between the rings, and between the lists. This happens by itself when much is left."""
        self._rings.pack()
        for seen in self._seen:
            seen.pack()

    def reserve(self, users: int) -> None:
        """Make room for this many users."""
        self._rings.reserve(users)

    def extend(self, done: Done, seen: Seen | None = None) -> None:
        """Record events in their order. seen: what `seen_before` returns for them; None: look it up.

        A skipped item counts as one that the user had, and is not among their latest items.
        """
        hashes = self.hashes(done)
        had = contains(*(seen or self.seen_before(done)), hashes)
        chosen = done if not len(done.kind) else done.some(done.kind >= 0)
        if len(chosen.user):
            self._rings.make_room(chosen.user)
            append(self.rings(), chosen, self.generation)
        self.reserve(int(done.user.max()) + 1)
        for domain, items in enumerate(self._seen):
            new = ~had & (done.domain == domain)
            items.add(done.user[new], hashes[new])

    def hashes(self, done: Done) -> NDArray[np.int64]:
        """Return the hash of each event's item, (B,); 0 for an event without an item row."""
        found = np.zeros(len(done.item), np.int64)
        for domain, catalogue in enumerate(self.catalogues):
            here = (done.domain == domain) & (done.item >= 0)
            found[here] = catalogue.hash_of[done.item[here]]
        return found

    def add(self, user: int, domain: int, item: int, time: float) -> None:
        """Record one event. user, item: rows. time: seconds."""
        self.extend(Done(np.array([domain]), np.array([user]), np.array([item]), np.array([time])))

    def count(self, user: int | None, domain: int) -> int:
        """Return the number of the user's events in this domain, since the row was given to them."""
        return int(self.events[user, domain]) if user is not None and user < len(self.events) else 0

    def recent(self, user: int | None) -> Recent:
        """Return the last `length` events of the user whose items are still resident, oldest first."""
        found = self.recall(asking([user]))
        n = int(found.n[0])
        return Recent(found.domain[0, :n][::-1], found.row[0, :n][::-1], found.time[0, :n][::-1])

    def newest(self, users: list[int | None], length: int) -> NDArray[np.float64]:
        """Return (n, length, 3): domain, row and time of each user's latest items, newest first.

        The domain is -1 where there is no item. length: at most that of the ring.
        """
        return self.recall(asking(users), together=False).context(length)

    def has_seen(self, user: int | None, domain: int, item_id: str) -> bool:
        """Return whether the user has had the item."""
        return user is not None and item_hash(item_id) in self._seen[domain].of(user)

    def seen_rows(self, user: int | None, domain: int) -> NDArray[np.int64]:
        """Return the rows, in this domain's catalogue, of resident items that the user has had."""
        if user is None:
            return np.zeros(0, np.int64)
        found = map(self.catalogues[domain].row_by_hash.get, self._seen[domain].of(user).tolist())
        return np.array([row for row in found if row is not None], np.int64)

    def eligible(self, user: int | None, domain: int) -> NDArray[np.bool_]:
        """Return (rows,): whether each item of the domain may be recommended and the user has not seen it."""
        catalogue = self.catalogues[domain]
        eligible = catalogue.recommendable[: catalogue.size].copy()
        eligible[self.seen_rows(user, domain)] = False
        return eligible

    def drop_item(self, domain: int, row: int) -> None:
        """Forget the row in all rings: it is free, or stands for another item, from now on."""
        if row >= self._born.shape[1]:
            self._born = np.ascontiguousarray(grown(self._born.T, row + 1).T)
        if self.generation == LAST_GENERATION:
            held = self.rings()
            held.seq[:] = self._begin_generations(held.domain, held.row, held.seq)
            self.written.everything()
        self.generation += 1
        self._born[domain, row] = self.generation

    def _begin_generations(
        self, domain: NDArray[Any], row: NDArray[Any], seq: NDArray[Any]
    ) -> NDArray[np.bool_]:
        """Begin with generation 1 anew. Return that of each entry of the rings: 1 if it means its row's present item.

        domain, row, seq: (n,) of the entries, as they were.
        """
        first, known = np.zeros(len(seq), np.int64), (domain >= 0) & (row < self._born.shape[1])
        first[known] = self._born[domain[known], row[known]]
        self._born[self._born > 0] = self.generation = 1
        present: NDArray[np.bool_] = seq >= first
        return present

    def end_future(self, now: float) -> None:
        """Set every time after `now` (seconds) to `now`."""
        self.written.update(self._rings.end_future(now))

    def drop_user(self, user: int) -> None:
        """Forget the row: it is free, or stands for another user, from now on."""
        self._rings.drop(user)
        for seen in self._seen:
            seen.drop(user)

    def rename_kinds(self, kinds: NDArray[np.int8]) -> None:
        """Replace each kind k in the rings by `kinds[k]`."""
        self.written.update(self._rings.rename_kinds(kinds))

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "generation": self.generation,
            **self._rings.live(self.written),
            "born": {str(d): born for d, born in enumerate(self._born)},
            "seen": {str(d): seen.live() for d, seen in enumerate(self._seen)},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.generation = generation(state)
        born = [state["born"][str(d)] for d in range(len(self.catalogues))]
        self._born = np.zeros((len(born), max(map(len, born), default=0)), np.int64)
        for mine, held in zip(self._born, born, strict=True):
            mine[: len(held)] = held
        recent = state["recent"] if "recent" in state else early_lists(state)
        if self.generation > LAST_GENERATION:  # of an early state, which numbered events
            recent = recent | {"seq": self._begin_generations(recent["domain"], recent["row"], recent["seq"])}
        self._rings.load(state["events"], recent)
        for d, seen in enumerate(self._seen):
            seen.load(state["seen"][str(d)])


def generation(state: Mapping[str, Any]) -> int:
    """Return the generation of a state. Early ones numbered the events instead: the next one had the next number."""
    return int(state["generation"]) if "generation" in state else int(state["sequence"]) + 1
