"""What must be published next: touched users and items, lists to rewrite, domains now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from models.arm_comparison import Arms
from models.state.tracked_tables import whole
from serving.contract import Keys, Write
from serving.publication.list_index import ListIndex
from serving.publication.list_queue import ListQueue
from serving.publication.record_builder import Births, RecordBuilder
from serving.publication.republish import USERS_AT_ONCE as AGAIN_AT_ONCE
from serving.publication.republish import Republish
from serving.store.store import Store

SLOW_SECONDS = 2.0
"""Popular lists, domains and meta are written this often while anything changes."""
USERS_AT_ONCE = 16
REFRESH_USERS = 200
"""Lists about to expire that are rewritten per slow round."""


class Outbox:
    """Knows what the store does not hold yet. `collect` turns it into writes; one thread calls everything.

    `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        arms: Arms,
        keys: Keys,
        clock: Callable[[], float],
        top: int = 50,
        explain_top: int = 10,
        ttl_seconds: int = 604_800,
        started_ts: int = 0,
        lists_within: float = 1.0,
    ) -> None:
        """lists_within: seconds that the list of a user who did something may wait before it is overdue."""
        self._arms = arms
        self.keys = self._keys = keys
        self._clock = clock
        self._ttl = ttl_seconds
        self._builder = RecordBuilder(arms, keys, top, explain_top, ttl_seconds, started_ts)
        self._listing = [d.name for d in arms.full.domains if d.recommend]
        self._users: dict[str, Births] = {}
        self._lists = ListQueue(self._listing, clock, lists_within)
        self.again = Republish(arms, keys)
        self._items: dict[tuple[str, str], None] = {}
        self._gone: dict[tuple[str, str], None] = {}
        self._left: dict[str, None] = {}
        self._forgotten: dict[str, list[str]] = {}
        self._index = ListIndex(self._listing, top, arms.full.users.capacity)
        self._slow_at = self._refreshed_at = 0.0
        self._changed = True
        self._introduced = False
        """Whether `cc:meta` was written since the start, or since the store was last emptied."""

    # What happened

    def event(self, user: str, domain: str, item: str, record_ms: int) -> None:
        """One learned event."""
        born = self._users.setdefault(user, ([], []))
        born[0].append(record_ms)
        born[1].append(domain)
        self._lists.add(user, domain)
        self._items[domain, item] = None
        self._changed = True

    def item(self, domain: str, item: str, removed: bool, recommendable: bool) -> None:
        """One item event: the item is written or deleted, and lists that hold it are rewritten."""
        self._changed = True
        if removed:
            self._items.pop((domain, item), None)
            self._gone[domain, item] = None
        else:
            self._gone.pop((domain, item), None)
            self._items[domain, item] = None
        if not recommendable:
            row = self._arms.full.catalogues[self._arms.full.index[domain]].ids.get(item)
            if row is not None:
                self._index.gone(domain, [row])
                self._slow_at = 0.0

    def items_evicted(self, evicted: Iterable[tuple[str, str, int]]) -> None:
        """Items (domain, id, row) that lost their row: lists that hold them are rewritten, their keys go, but of
        those that have come back since.
        """
        for domain, item, row in evicted:
            self._index.gone(domain, [row])
            self._slow_at = 0.0
            if item not in self._arms.full.catalogues[self._arms.full.index[domain]].ids:
                self._items.pop((domain, item), None)
                self._gone[domain, item] = None

    def user_evicted(self, user: str) -> None:
        """The user lost their row: nobody would rewrite their lists, so they go, unless the user came back."""
        if user not in self._arms.full.users:
            self._users.pop(user, None)
            self._lists.discard(user)
            self._left[user] = None

    def forget_user(self, user: str, row: int | None, found: Iterable[str] = ()) -> list[str]:
        """All of the user's keys go, those `found` in the store too, and what is known of their lists; `row` is the
        one they had. Gives the keys.

        A user who is resident (they have come back since) is written anew.
        """
        self._left.pop(user, None)
        self._users.pop(user, None)
        self._lists.discard(user)
        self._forgotten[user] = keys = [*dict.fromkeys([*self._keys_of(user), *found])]
        if row is not None:
            self._index.drop_user(row)
        if user in self._arms.full.users:
            self._users[user] = ([], [])
            self._lists.add(user)
        return keys

    def left(self) -> set[str]:
        """Users without a row whose lists are still to be deleted. Everybody else here has one, or just lost it."""
        return set(self._left)

    def doomed(self) -> list[str]:
        """The keys of the forgotten whose deletion was not handed out yet."""
        return [key for keys in self._forgotten.values() for key in keys]

    def _keys_of(self, user: str) -> list[str]:
        names = [domain.name for domain in self._arms.full.domains]
        return [self._keys.user(user), *(self._keys.recommendations(user, name) for name in names)]

    def publish_again(self, since: int = 0, store: Store | None = None) -> None:
        """The store lost writes: what it acknowledged with a mark above `since` is due again, with 0 all that is
        resident; a part of it each round. store: it is searched for keys that were deleted since.
        """
        self._introduced = False
        self.again.begin(since, store)
        self._slow_at = 0.0
        self._changed = True

    def _take_again(self) -> None:
        """The next part of what is due again, once the lists of the one before are nearly done: newer events come
        first, and nothing piles up."""
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
            (self._gone if row is None else self._items)[domain, item] = None
        self.again.end_if_done()

    def backlog(self) -> int:
        users = len(self._users) + len(self._lists) + len(self._left) + len(self._forgotten)
        return users + len(self._items) + len(self._gone) + len(self._index) + len(self.again)

    def overdue(self) -> bool:
        """Return whether the list of a user who did something has waited for too long."""
        return self._lists.overdue()

    # What to write

    def collect(self, spare: Callable[[], bool]) -> Iterable[Write]:
        """Writes, most urgent first; lists are built for as long as `spare()` says there is time.

        `cc:meta` comes before all: a store that is emptied while the rest is on its way is noticed by it.
        """
        if not self._introduced:
            self._introduced = True
            yield self._builder.meta(int(self._clock() * 1000))
        if self.again.active:
            self._take_again()
        yield from self._deletions()
        now = self._clock()
        users, self._users = self._users, {}
        yield from self._builder.users(users, int(now * 1000))
        items, self._items = self._items, {}
        yield from self._builder.items(items)
        if self._changed and now - self._slow_at >= SLOW_SECONDS:
            self._slow_at, self._changed = now, False
            yield from self._slow(int(now * 1000))
        if now - self._refreshed_at >= SLOW_SECONDS:
            self._refreshed_at = now  # lists expire in a quiet stream too
            self._refresh(now)
        while len(self._lists) or len(self._index):
            yield from self._some_lists()
            if not spare():
                break

    def _deletions(self) -> Iterable[Write]:
        gone, self._gone = self._gone, {}
        for domain, item in gone:
            yield Write(self._keys.item(domain, item), "delete", None)
        left, self._left = self._left, {}
        for user in left:
            if user not in self._arms.full.users:
                for domain in self._listing:
                    yield Write(self._keys.recommendations(user, domain), "delete", None)
        forgotten, self._forgotten = self._forgotten, {}
        for keys in forgotten.values():  # of one who came back, too: nothing of before may stay in their hash
            yield from (Write(key, "delete", None) for key in keys)

    def _some_lists(self) -> Iterable[Write]:
        """Lists of those who did something, and as many that hold what is gone: neither waits for the other."""
        if (taken := self._lists.take(USERS_AT_ONCE)) is not None:
            yield from self._written(*taken)
        if (due := self._index.due(USERS_AT_ONCE)) is not None:
            domain, rows = due
            users = self._users_at(rows)
            for row in set(rows) - users.keys():
                self._index.drop_user(row)
            yield from self._written(domain, list(users.values()))

    def _users_at(self, rows: Iterable[int]) -> dict[int, str]:
        """Who has these rows, of those that somebody has."""
        id_of = self._arms.full.users.id_of
        return {row: id_of[row] for row in rows if row < len(id_of) and id_of[row]}

    def _written(self, domain: str, users: Iterable[str]) -> Iterable[Write]:
        full, now = self._arms.full, self._clock()
        resident = [user for user in users if user in full.users]
        for user, items, write in self._builder.lists(domain, resident, int(now * 1000)):
            row = full.users.get(user)
            assert row is not None
            self._index.write(domain, row, [item.row for item in items], now)
            yield write

    def _refresh(self, now: float) -> None:
        """Lists that would expire in the second half of their life are written again, oldest first."""
        rows = self._index.expiring(now - self._ttl / 2, REFRESH_USERS)
        for user in self._users_at(rows).values():
            self._users.setdefault(user, ([], []))
            self._lists.add(user)
        self._changed |= bool(rows)

    def _slow(self, now_ms: int) -> Iterable[Write]:
        yield from (self._builder.popular(name, now_ms) for name in self._listing)
        yield from self._builder.domains(now_ms)
        yield self._builder.meta(now_ms)

    # State

    def state(self, unconfirmed: list[str]) -> dict[str, Any]:
        """Everything that a later call can read, copied."""
        state: dict[str, Any] = whole(self.live(unconfirmed))
        return state

    def live(self, unconfirmed: list[str]) -> dict[str, Any]:
        """`unconfirmed`: keys that the store has not acknowledged; their owners are published first on start.

        Of users without a row nothing is published, and a forgotten one's id must not stay.
        """
        users, items = set(self._users) | self._lists.users(), set(self._items) | set(self._gone)
        prefix = f"{self._keys.prefix}:item:"
        for key in unconfirmed:
            if (owner := self._keys.owner(key)) is not None:
                users.add(owner)
            elif key.startswith(prefix):
                domain, _, item = key.removeprefix(prefix).partition(":")
                items.add((domain, item))
        return {
            "users": sorted(user for user in users if user in self._arms.full.users),
            "items": [list(pair) for pair in sorted(items)],
            "left": list(self._left),
            **self._index.live(),
        }

    def load(self, state: dict[str, Any]) -> None:
        full = self._arms.full
        for user in state["users"]:
            self._users.setdefault(user, ([], []))
            self._lists.add(user)
        for domain, item in state["items"]:
            row = full.catalogues[full.index[domain]].ids.get(item)
            (self._gone if row is None else self._items)[domain, item] = None
        self._left = dict.fromkeys(state["left"])
        self._index.load(state)
