"""Keep what must be published next: touched users and items, lists to rewrite, and periodic records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from models.arms.arm_comparison import ArmComparison
from serving.contract import Keys, Write
from serving.publication.list_index import ListIndex
from serving.publication.list_queue import ListQueue
from serving.publication.record_builder import ListOptions, RecordBuilder, RecordTimes
from serving.publication.republish import USERS_AT_ONCE as AGAIN_AT_ONCE
from serving.publication.republish import Republish
from serving.store.store import Store

SLOW_SECONDS = 2.0
"""Time between two writes of popular lists, domains and meta while anything changes."""
USERS_AT_ONCE = 32
"""Users whose lists are made in one call of the learners."""
REFRESH_USERS = 200
"""Users per periodic round whose lists are renewed before they expire."""


class PublicationQueue:
    """Knows what the store does not hold yet. `collect` turns it into writes; one thread calls everything.

    `clock` returns seconds since the epoch.
    """

    def __init__(
        self,
        arms: ArmComparison,
        keys: Keys,
        clock: Callable[[], float],
        lists: ListOptions | None = None,
        started_ts: int = 0,
    ) -> None:
        """started_ts: when the process started, Unix time in ms."""
        lists = lists or ListOptions()
        self._arms = arms
        self.keys = keys
        self._clock = clock
        self._ttl = lists.ttl_seconds
        self._builder = RecordBuilder(arms, keys, lists, started_ts)
        self._listing = [d.name for d in arms.full.domains if d.recommend]
        self._users: dict[str, RecordTimes] = {}
        self._lists = ListQueue(self._listing, clock, lists.within_seconds)
        self.again = Republish(arms, keys)
        self._items: dict[tuple[str, str], None] = {}
        self._deleted_items: dict[tuple[str, str], None] = {}
        self._evicted_users: dict[str, None] = {}
        self._forgotten: dict[str, list[str]] = {}
        self.index = ListIndex(self._listing, lists.top, arms.full.users.capacity)
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
        self._items[domain, item] = None
        self._changed = True

    def item(self, domain: str, item: str, removed: bool, recommendable: bool) -> None:
        """Note one item event: the item is written or deleted.

        If it may not be recommended any more, lists that hold it are rewritten.
        """
        self._changed = True
        if removed:
            self._items.pop((domain, item), None)
            self._deleted_items[domain, item] = None
        else:
            self._deleted_items.pop((domain, item), None)
            self._items[domain, item] = None
        if not recommendable:
            row = self._arms.full.catalogues[self._arms.full.index[domain]].ids.get(item)
            if row is not None:
                self.index.drop_items(domain, [row])
                self._periodic_at = 0.0

    def items_evicted(self, evicted: Iterable[tuple[str, str, int]]) -> None:
        """Note items (domain, id, row) that lost their row.

        Lists that hold them are rewritten. Their keys are deleted, unless the item has been seen again since.
        """
        for domain, item, row in evicted:
            self.index.drop_items(domain, [row])
            self._periodic_at = 0.0
            if item not in self._arms.full.catalogues[self._arms.full.index[domain]].ids:
                self._items.pop((domain, item), None)
                self._deleted_items[domain, item] = None

    def user_evicted(self, user: str) -> None:
        """Note a user who lost their row. Their lists are deleted, because nothing would rewrite them.

        A user who has come back in the meantime keeps them.
        """
        if user not in self._arms.full.users:
            self._users.pop(user, None)
            self._lists.discard(user)
            self._evicted_users[user] = None

    def forget_user(self, user: str, row: int | None, found: Iterable[str] = ()) -> list[str]:
        """Delete all keys of a user, and forget their lists. Return the keys.

        row: the row that they had. found: more keys of theirs, seen in the store.
        A user who has come back since then, and so has a row, is written again.
        """
        self._evicted_users.pop(user, None)
        self._users.pop(user, None)
        self._lists.discard(user)
        self._forgotten[user] = keys = [*dict.fromkeys([*self._keys_of(user), *found])]
        if row is not None:
            self.index.drop_user(row)
        if user in self._arms.full.users:
            self._users[user] = ([], [])
            self._lists.add(user)
        return keys

    def evicted_users(self) -> set[str]:
        """Return users without a row whose lists are still to be deleted."""
        return set(self._evicted_users)

    def forgotten_keys(self) -> list[str]:
        """Return the keys of forgotten users whose deletion was not collected yet."""
        return [key for keys in self._forgotten.values() for key in keys]

    def _keys_of(self, user: str) -> list[str]:
        names = [domain.name for domain in self._arms.full.domains]
        return [self.keys.user(user), *(self.keys.recommendations(user, name) for name in names)]

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
        self._items |= dict.fromkeys(self.again.items())
        strangers, items = self.again.leftovers()
        for user in strangers:
            self.user_evicted(user)
        for domain, item in items:
            row = self._arms.full.catalogues[self._arms.full.index[domain]].ids.get(item)
            (self._deleted_items if row is None else self._items)[domain, item] = None
        self.again.end_if_done()

    def lists(self) -> int:
        """Return how many lists are due."""
        return len(self._lists) + len(self.index)

    def backlog(self) -> int:
        """Return how many values and lists are due."""
        users = len(self._users) + len(self._evicted_users) + len(self._forgotten)
        return users + self.lists() + len(self._items) + len(self._deleted_items) + len(self.again)

    def let_lists_wait(self, seconds: float) -> None:
        """Set how long the list of a user who did something may wait."""
        self._lists.within = seconds

    def overdue(self) -> bool:
        """Return whether the list of a user who did something has waited for too long."""
        return self._lists.overdue()

    def collect(self, spare: Callable[[], bool]) -> Iterable[Write]:
        """Yield writes, most urgent first. Lists are built while `spare()` returns True.

        `cc:meta` comes first: it shows if the store is emptied while the rest is written.
        """
        if not self._meta_written:
            self._meta_written = True
            yield self._builder.meta(int(self._clock() * 1000))
        if self.again.active:
            self._take_again()
        yield from self._deletions()
        now = self._clock()
        users, self._users = self._users, {}
        yield from self._builder.users(users, int(now * 1000))
        items, self._items = self._items, {}
        yield from self._builder.items(items)
        if self._changed and now - self._periodic_at >= SLOW_SECONDS:
            self._periodic_at, self._changed = now, False
            yield from self._periodic_records(int(now * 1000))
        if now - self._refreshed_at >= SLOW_SECONDS:
            self._refreshed_at = now  # lists expire in a quiet stream, too
            self._refresh(now)
        while len(self._lists) or len(self.index):
            yield from self._some_lists()
            if not spare():
                break

    def _deletions(self) -> Iterable[Write]:
        gone, self._deleted_items = self._deleted_items, {}
        for domain, item in gone:
            yield Write(self.keys.item(domain, item), "delete", None)
        left, self._evicted_users = self._evicted_users, {}
        for user in left:
            if user not in self._arms.full.users:
                for domain in self._listing:
                    yield Write(self.keys.recommendations(user, domain), "delete", None)
        forgotten, self._forgotten = self._forgotten, {}
        for keys in forgotten.values():  # also for a user who came back: no old field may stay in their hash
            yield from (Write(key, "delete", None) for key in keys)

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
        """Queue users whose lists are in the second half of their life, oldest first."""
        rows = self.index.expiring(now - self._ttl / 2, REFRESH_USERS)
        for user in self._users_at(rows).values():
            self._users.setdefault(user, ([], []))
            self._lists.add(user)
        self._changed |= bool(rows)

    def _periodic_records(self, now_ms: int) -> Iterable[Write]:
        yield from (self._builder.popular(name, now_ms) for name in self._listing)
        yield from self._builder.domains(now_ms)
        yield self._builder.meta(now_ms)

    # State

    def live(self, unconfirmed: list[str]) -> dict[str, Any]:
        """Return the state by reference. It has no users without a row: the id of a forgotten user must not stay.

        unconfirmed: keys that the store has not acknowledged; their owners are published first at the next start.
        """
        users, items = set(self._users) | self._lists.users(), set(self._items) | set(self._deleted_items)
        prefix = f"{self.keys.prefix}:item:"
        for key in unconfirmed:
            if (owner := self.keys.owner(key)) is not None:
                users.add(owner)
            elif key.startswith(prefix):
                domain, _, item = key.removeprefix(prefix).partition(":")
                items.add((domain, item))
        return {
            "users": sorted(user for user in users if user in self._arms.full.users),
            "items": [list(pair) for pair in sorted(items)],
            "left": list(self._evicted_users),
            **self.index.live(),
        }

    def load(self, state: dict[str, Any]) -> None:
        full = self._arms.full
        for user in state["users"]:
            self._users.setdefault(user, ([], []))
            self._lists.add(user)
        for domain, item in state["items"]:
            row = full.catalogues[full.index[domain]].ids.get(item)
            (self._deleted_items if row is None else self._items)[domain, item] = None
        self._evicted_users = dict.fromkeys(state["left"])
        self.index.load(state)
