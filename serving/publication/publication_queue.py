"""Keep what must be published next: touched users and items, lists to rewrite, and periodic records."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from models.arms.arm_comparison import ArmComparison
from serving.contract import Keys, Write
from serving.publication.deletions import Deletions
from serving.publication.list_index import ListIndex
from serving.publication.list_queue import ListQueue
from serving.publication.neighbour_queue import NeighbourQueue
from serving.publication.record_builder import ListOptions, RecordBuilder, RecordTimes
from serving.publication.republish import USERS_AT_ONCE as AGAIN_AT_ONCE
from serving.publication.republish import Republish
from serving.publication.shard_part import ShardPart
from serving.store.store import Store

SLOW_SECONDS = 2.0
"""Time between two writes of popular lists, domains and meta while anything changes."""
USERS_AT_ONCE = 32
"""Users whose lists are made in one call of the learners."""
REFRESH_USERS = 200
"""Users per periodic round, at least, whose lists are renewed before they expire."""
QUEUED = 0.8
"""Part of the refresh time after which a list is queued to be made anew. The rest is for its turn to come."""


class PublicationQueue:
    """Knows what the store does not hold yet. `records` and `more` turn it into writes; one thread calls everything.

    `clock` returns seconds since the epoch.
    """

    def __init__(
        self,
        arms: ArmComparison,
        keys: Keys,
        clock: Callable[[], float],
        lists: ListOptions | None = None,
        started_ts: int = 0,
        part: ShardPart = ShardPart(),  # noqa: B008  it never changes
    ) -> None:
        """started_ts: start of the process, Unix time in ms. part: what it writes of shared records."""
        lists = lists or ListOptions()
        self._arms, self._part = arms, part
        self.keys, self._clock = keys, clock
        self._renew_seconds = min(lists.ttl_seconds / 2, QUEUED * lists.refresh_seconds)
        self._builder = RecordBuilder(arms, keys, lists, started_ts)
        self._listing = [d.name for d in arms.full.domains if d.recommend]
        self._users: dict[str, RecordTimes] = {}
        self._lists = ListQueue(self._listing, clock, lists.within_seconds)
        self.again = Republish(arms, keys)
        self._items: dict[tuple[str, str], None] = {}
        self._gone = Deletions(arms, keys, self._listing, part)
        self._neighbours = NeighbourQueue(arms, self._builder, clock, self._listing, lists, part)
        self.index = ListIndex(self._listing, lists.top)
        self._periodic_at = self._refreshed_at = 0.0
        self._changed = True
        self._meta_written = False
        """Whether `cc:meta` was written since the start, or since the store was last emptied."""

    # What was learned

    def event(self, user: str, domain: str, item: str, record_ms: int) -> None:
        """Note one learned event. record_ms: the time of its Kafka record."""
        born = self._users.setdefault(user, ([], []))
        born[0].append(record_ms)
        born[1].append(domain)
        self._lists.add(user, domain)
        self.item_learned(domain, item)

    def item_learned(self, domain: str, item: str) -> None:
        """Note that an item has learned an event, maybe of another shard's user."""
        self._items[domain, item] = None
        self._neighbours.add(domain, item)
        self._changed = True

    def item(self, domain: str, item: str, removed: bool, recommendable: bool) -> None:
        """Note one item event: the item is written or deleted.

        If it may not be recommended any more, lists that hold it are rewritten.
        """
        self._changed = True
        if removed:
            self._items.pop((domain, item), None)
            self._gone.items[domain, item] = None
        else:
            self._gone.items.pop((domain, item), None)
            self._items[domain, item] = None
            self._neighbours.add(domain, item)
        if not recommendable and (row := self._arms.full.item_row(domain, item)) is not None:
            self._drop_item(domain, row, gone=removed)

    def _drop_item(self, domain: str, row: int, gone: bool) -> None:
        self.index.drop_items(domain, [row])
        self._neighbours.drop(domain, row, gone)
        self._periodic_at = 0.0

    def items_evicted(self, evicted: Iterable[tuple[str, str, int]]) -> None:
        """Note items (domain, id, row) that lost their row.

        Lists that hold them are rewritten. Their keys are deleted, unless the item has been seen again since.
        """
        for domain, item, row in evicted:
            self._drop_item(domain, row, gone=True)
            if self._arms.full.item_row(domain, item) is None:
                self._items.pop((domain, item), None)
                self._gone.items[domain, item] = None

    def user_evicted(self, user: str) -> None:
        """Note a user who lost their row. Their lists are deleted, because nothing would rewrite them.

        A user who has come back in the meantime keeps them.
        """
        if user not in self._arms.full.users:
            self._users.pop(user, None)
            self._lists.discard(user)
            self._gone.users[user] = None

    def forget_user(self, user: str, row: int | None, found: Iterable[str] = ()) -> list[str]:
        """Delete all keys of a user, and forget their lists. Return the keys.

        row: the row that they had. found: more keys of theirs, seen in the store.
        A user who has come back since then, and so has a row, is written again.
        """
        self._users.pop(user, None)
        self._lists.discard(user)
        keys = self._gone.forget_user(user, found)
        if row is not None:
            self.index.drop_user(row)
        if user in self._arms.full.users:
            self._users[user] = ([], [])
            self._lists.add(user)
        return keys

    def evicted_users(self) -> set[str]:
        """Return users without a row whose lists are still to be deleted."""
        return set(self._gone.users)

    def forgotten_keys(self) -> list[str]:
        """Return the keys of forgotten users whose deletion was not collected yet."""
        return self._gone.forgotten_keys()

    def publish_again(self, since: int = 0, store: Store | None = None) -> None:
        """Publish again what a store that lost writes may lack, a part of it each round.

        These are its acknowledged writes with a mark above `since`; with 0, all that is resident.
        store: it is searched for keys that were deleted since.
        """
        self._meta_written = False
        self.again.begin(since, store)
        self._periodic_at = 0.0
        self._changed = True

    def _take_again(self) -> None:
        """Queue the next part to publish again, once the lists of the part before are nearly done.

        So newer events come first, and nothing piles up.
        """
        if len(self._lists) < AGAIN_AT_ONCE:
            for user in self.again.users():
                self._users.setdefault(user, ([], []))
                self._lists.add(user)
        for domain, item in self.again.items():
            self._items[domain, item] = None
            self._neighbours.add(domain, item, lost=True)
        strangers, items = self.again.leftovers()
        for user in () if self._part.several else strangers:  # they may be other shards'
            self.user_evicted(user)
        for domain, item in items:
            self._unconfirmed_item(domain, item)
        self.again.end_if_done()

    def _unconfirmed_item(self, domain: str, item: str) -> None:
        """Write an item that the store may lack, or delete what it may hold of one without a row."""
        gone = self._arms.full.item_row(domain, item) is None
        (self._gone.items if gone else self._items)[domain, item] = None

    def lists(self) -> int:
        """Return how many lists are due."""
        return len(self._lists) + len(self.index)

    def backlog(self) -> int:
        """Return how many values and lists are due."""
        return len(self._users) + self.lists() + len(self._items) + len(self._gone) + len(self.again)

    def let_lists_wait(self, seconds: float) -> None:
        """Set how long the list of a user who did something may wait."""
        self._lists.within = seconds

    def overdue(self) -> bool:
        """Return whether the list of a user who did something has waited for too long."""
        return self._lists.overdue()

    def records(self) -> Iterable[Write]:
        """Yield `cc:meta`, which shows if the store is emptied meanwhile; deletions, users, items, and the rest."""
        if not self._meta_written:
            self._meta_written = True
            yield self._builder.meta(int(self._clock() * 1000))
        if self.again.active:
            self._take_again()
        yield from self._gone.writes()
        now = self._clock()
        users, self._users = self._users, {}
        yield from self._builder.users(users, int(now * 1000))
        items, self._items = self._items, {}
        yield from self._builder.items([pair for pair in items if self._part.owns(*pair)])
        if self._changed and now - self._periodic_at >= SLOW_SECONDS:
            self._periodic_at, self._changed = now, False
            yield from self._periodic_records(int(now * 1000))
        if now - self._refreshed_at >= SLOW_SECONDS:
            self._refreshed_at = now  # lists expire in a quiet stream, too
            self._refresh(now)

    def more(self, spare: Callable[[], bool]) -> Iterable[Write]:
        """Yield lists, then neighbours of items, while `spare()` returns True."""
        while len(self._lists) or len(self.index):
            yield from self._some_lists()
            if not spare():
                break
        yield from self._neighbours.collect(spare)

    def _some_lists(self) -> Iterable[Write]:
        """Yield lists of active users, and as many lists that hold a dropped item: neither kind waits for the other."""
        if (taken := self._lists.take(USERS_AT_ONCE)) is not None:
            yield from self._written(*taken)
        if (due := self.index.due(USERS_AT_ONCE)) is not None:
            domain, rows = due
            users = self._users_at(rows)
            for row in set(rows) - users.keys():
                self.index.drop_user(row)
            yield from self._written(domain, list(users.values()))

    def _users_at(self, rows: Iterable[int]) -> dict[int, str]:
        """Return the users of those rows that are in use, by row."""
        id_of = self._arms.full.users.id_of
        return {row: id_of[row] for row in rows if row < len(id_of) and id_of[row]}

    def _written(self, domain: str, users: Iterable[str]) -> Iterable[Write]:
        full, now = self._arms.full, self._clock()
        resident = [user for user in users if user in full.users]
        for user, items, write in self._builder.lists(domain, resident, int(now * 1000)):
            row = full.users.get(user)
            assert row is not None
            self.index.write(domain, row, [item.row for item in items], now)
            yield write

    def _refresh(self, now: float) -> None:
        """Queue users whose lists are old, oldest first: so many that all of them have their turn in time."""
        rounds = (1 - QUEUED) * self._renew_seconds / QUEUED / SLOW_SECONDS
        some = max(REFRESH_USERS, math.ceil(len(self._arms.full.users) / max(1.0, rounds)))
        rows = self.index.expiring(now - self._renew_seconds, some)
        for user in self._users_at(rows).values():
            self._users.setdefault(user, ([], []))
            self._lists.add(user)
        self._changed |= bool(rows)

    def _periodic_records(self, now_ms: int) -> Iterable[Write]:
        if self._part.leads:
            yield from (self._builder.popular(name, now_ms) for name in self._listing)
            yield from self._builder.domains(now_ms)
        yield self._builder.meta(now_ms)

    # State

    def live(self, unconfirmed: list[str]) -> dict[str, Any]:
        """Return the state by reference. It has no users without a row: the id of a forgotten user must not stay.

        unconfirmed: keys that the store has not acknowledged; their owners are published first at the next start.
        """
        users, items = set(self._users) | self._lists.users(), set(self._items) | set(self._gone.items)
        for key in unconfirmed:
            if (owner := self.keys.owner(key)) is not None:
                users.add(owner)
            elif (pair := self.keys.item_of(key)) is not None:
                items.add(pair)
        return {
            "users": sorted(user for user in users if user in self._arms.full.users),
            "items": [list(pair) for pair in sorted(items)],
            "left": list(self._gone.users),
            "neighbours": self._neighbours.live(),
            **self.index.live(),
        }

    def load(self, state: dict[str, Any]) -> None:
        for user in state["users"]:
            self._users.setdefault(user, ([], []))
            self._lists.add(user)
        if "neighbours" in state:  # an early state has none
            self._neighbours.load(state["neighbours"])
        for domain, item in state["items"]:
            self._unconfirmed_item(domain, item)
            # The key that the store has not confirmed may be that of the neighbours.
            self._neighbours.add(domain, item, lost=True)
        self._gone.users = dict.fromkeys(state["left"])
        self.index.load(state)
