"""Queue items whose neighbours must be found: when there is time, and for each item once in a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from models.arms.arm_comparison import ArmComparison
from serving.contract import Write
from serving.publication.list_index import ListIndex
from serving.publication.record_builder import ListOptions, RecordBuilder
from serving.publication.shard_part import ShardPart

AT_ONCE = 16
"""Most items whose neighbours one round finds."""
STARVED_SECONDS = 1.0
"""Without spare time, the neighbours of one item are found in this time."""
Pair = tuple[str, str]


class NeighbourQueue:
    """Items (domain, id) whose neighbours are due. An item that never had any is served first.

    The others wait for `similar_seconds`, so an item that is touched by every event costs no more than once in that
    time. Neighbours that hold an item which may not be recommended any more are found again at once.
    """

    def __init__(
        self,
        arms: ArmComparison,
        builder: RecordBuilder,
        clock: Callable[[], float],
        domains: list[str],
        lists: ListOptions,
        part: ShardPart,
    ) -> None:
        """domains: those with lists. clock: seconds. part: what this process writes of shared records."""
        self._arms, self._builder, self._clock, self._part = arms, builder, clock, part
        self._every = lists.similar_seconds
        self._indexes = {
            name: ListIndex([name], lists.similar) for name in (domains if lists.similar > 0 else [])
        }
        self._new: dict[Pair, None] = {}
        self._again: dict[Pair, float] = {}
        """When each was added; the oldest comes first."""
        self._found_at = 0.0

    def add(self, domain: str, item: str, lost: bool = False) -> None:
        """Note that an item, or what is known of it, is new. lost: the store may have lost its neighbours."""
        index = self._indexes.get(domain)
        if index is None or not self._part.owns(domain, item):
            return
        row, pair = self._arms.full.item_row(domain, item), (domain, item)
        if row is None or pair in self._new:
            return
        if index.written_at(row) and not lost:
            self._again.setdefault(pair, self._clock())
        else:
            self._new[pair] = None

    def drop(self, domain: str, row: int, gone: bool) -> None:
        """Note that the item of this row may not be recommended any more. gone: its own neighbours go, too."""
        if domain in self._indexes:
            self._indexes[domain].drop_items(domain, [row])
            if gone:
                self._indexes[domain].drop_user(row)

    def collect(self, spare: Callable[[], bool]) -> Iterable[Write]:
        """Yield the neighbours of some items, while `spare()` returns True."""
        for domain, item in self._due():
            now = self._clock()
            if now - self._found_at < STARVED_SECONDS and not spare():
                return
            self._found_at = now
            self._new.pop((domain, item), None)
            self._again.pop((domain, item), None)
            row = self._arms.full.item_row(domain, item)
            if row is not None:
                rows, write = self._builder.similar(domain, item, int(now * 1000))
                self._indexes[domain].write(domain, row, rows, now)
                yield write

    def _due(self) -> list[Pair]:
        """Return up to `AT_ONCE` items: with a neighbour that is gone, new, or waiting for long enough."""
        due: dict[Pair, None] = {}
        full = self._arms.full
        for name, index in self._indexes.items():
            _, rows = index.due(AT_ONCE) or (name, [])
            id_of = full.catalogues[full.index[name]].id_of
            due |= {(name, id_of[row]): None for row in rows if row < len(id_of)}
        for pair in self._new:
            if len(due) >= AT_ONCE:
                break
            due[pair] = None
        latest = self._clock() - self._every
        for pair, since in self._again.items():
            if len(due) >= AT_ONCE or since > latest:
                break
            due[pair] = None
        return list(due)[:AT_ONCE]

    def live(self) -> dict[str, Any]:
        """Return the state by reference."""
        due = [list(pair) for pair in sorted({*self._new, *self._again})]
        return {"due": due, "indexes": {name: index.live() for name, index in self._indexes.items()}}

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state. A domain that it lacks, or with lists of another length, begins without neighbours."""
        for name, index in self._indexes.items():
            if name in state["indexes"]:
                index.load(state["indexes"][name])
        for domain, item in state["due"]:
            if domain in self._indexes:
                self.add(domain, item)
