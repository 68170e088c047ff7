"""What must be published next: touched users and items, lists to rewrite, domains now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from models.arms import Arms
from models.catalogue import grown
from models.changes import Rows, whole
from models.touched import Touched
from serving.list_queue import ListQueue
from serving.records import (
    RECORD_VERSION,
    SCHEMA,
    Keys,
    RecommendationList,
    Write,
    encode_vector,
    hash_write,
    list_write,
    listed,
)
from serving.republish import USERS_AT_ONCE as AGAIN_AT_ONCE
from serving.republish import Republish

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
    ) -> None:
        self._arms = arms
        self.keys = self._keys = keys
        self._clock = clock
        self._top = top
        self._explain_top = explain_top
        self._ttl = ttl_seconds
        self._started_ts = started_ts
        self._listing = [d.name for d in arms.full.domains if d.recommend]
        self._users: dict[str, tuple[list[int], list[str]]] = {}
        self._lists = ListQueue(self._listing)
        self.again = Republish(arms, keys)
        self._items: dict[tuple[str, str], None] = {}
        self._gone: dict[tuple[str, str], None] = {}
        self._left: dict[str, None] = {}
        self._forgotten: dict[str, list[str]] = {}
        self._on_lists = {name: np.zeros((0, top), np.int32) for name in self._listing}
        self._written_at = np.zeros(0, np.float64)
        self._noted = Touched()
        """User rows of the two."""
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
        if not recommendable and domain in self._on_lists:
            row = self._arms.full.catalogues[self._arms.full.index[domain]].ids.get(item)
            if row is not None:
                self._rewrite_lists_with(domain, [row])

    def _rewrite_lists_with(self, domain: str, rows: list[int]) -> None:
        holders = np.flatnonzero(np.isin(self._on_lists[domain], np.array(rows) + 1).any(axis=1))
        if len(holders):
            wanted = set(holders.tolist())
            for user, user_row in self._arms.full.users.items():
                if user_row in wanted:
                    self._lists.add_one(user, domain)
        self._slow_at = 0.0

    def items_evicted(self, evicted: Iterable[tuple[str, str, int]]) -> None:
        """Items (domain, id, row) that lost their row: lists that hold them are rewritten, their keys go, but of
        those that have come back since.

        All of a round at once: one pass over everybody's lists.
        """
        rows: dict[str, list[int]] = {}
        for domain, item, row in evicted:
            rows.setdefault(domain, []).append(row)
            if item not in self._arms.full.catalogues[self._arms.full.index[domain]].ids:
                self._items.pop((domain, item), None)
                self._gone[domain, item] = None
        for domain in rows.keys() & self._on_lists.keys():
            self._rewrite_lists_with(domain, rows[domain])

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
            for rows in self._on_lists.values():
                rows[row : row + 1] = 0
            self._written_at[row : row + 1] = 0.0
            self._noted.add(row)
        if user in self._arms.full.users:
            self._users[user] = ([], [])
            self._lists.add(user)
        return keys

    def user_ids(self) -> set[str]:
        """Everyone of whom something is to be written or deleted."""
        return {*self._users, *self._lists.users(), *self._left, *self._forgotten}

    def doomed(self) -> list[str]:
        """The keys of the forgotten whose deletion was not handed out yet."""
        return [key for keys in self._forgotten.values() for key in keys]

    def _keys_of(self, user: str) -> list[str]:
        names = [domain.name for domain in self._arms.full.domains]
        return [self._keys.user(user), *(self._keys.recommendations(user, name) for name in names)]

    def publish_again(self, since: int = 0, client: Any = None) -> None:
        """The store lost writes: what it acknowledged with a mark above `since` is due again, with 0 all that is
        resident; a part of it each round. client: the store's, to look for keys that were deleted since.
        """
        self._introduced = False
        self.again.begin(since, client)
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
        return users + len(self._items) + len(self._gone) + len(self.again)

    # What to write

    def collect(self, spare: Callable[[], bool]) -> Iterable[Write]:
        """Writes, most urgent first; lists are built for as long as `spare()` says there is time.

        `cc:meta` comes before all: a store that is emptied while the rest is on its way is noticed by it.
        """
        if not self._introduced:
            self._introduced = True
            yield self._meta(int(self._clock() * 1000))
        if self.again.active:
            self._take_again()
        yield from self._deletions()
        yield from self._touched_users()
        yield from self._touched_items()
        now = self._clock()
        if self._changed and now - self._slow_at >= SLOW_SECONDS:
            self._slow_at, self._changed = now, False
            yield from self._slow(int(now * 1000))
        if now - self._refreshed_at >= SLOW_SECONDS:
            self._refreshed_at = now  # lists expire in a quiet stream too
            self._refresh(now)
        while len(self._lists):
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

    def _touched_users(self) -> Iterable[Write]:
        touched, self._users = self._users, {}
        full = self._arms.full
        users = [u for u in touched if u in full.users]
        vectors = full.user_vectors(users) if users else ()
        now = int(self._clock() * 1000)
        for user, vector in zip(users, vectors, strict=True):
            counts = {f"events:{name}": n for name, n in full.events_of(user).items() if n}
            fields = {
                "vector": encode_vector(vector),
                "dim": len(vector),
                "model": full.model,
                "published_ts": now,
                **counts,
            }
            born, domains = touched[user]
            write = hash_write(self._keys.user(user), fields, self._ttl)
            yield write._replace(born_ms=tuple(born), domains=tuple(domains))

    def _touched_items(self) -> Iterable[Write]:
        touched, self._items = self._items, {}
        by_domain: dict[str, list[str]] = {}
        for domain, item in touched:
            by_domain.setdefault(domain, []).append(item)
        for domain, items in by_domain.items():
            views = self._arms.full.item_views(domain, items)
            for item, view in zip(items, views, strict=True):
                if view is None:  # removed: a late event must not bring its key back
                    yield Write(self._keys.item(domain, item), "delete", None)
                else:
                    fields = {
                        "vector": encode_vector(view.vector),
                        "dim": len(view.vector),
                        "title": view.title,
                        "bias": view.bias,
                        "popularity": view.popularity,
                        "model": self._arms.full.model,
                    }
                    yield hash_write(self._keys.item(domain, item), fields)

    def _some_lists(self) -> Iterable[Write]:
        taken = self._lists.take(USERS_AT_ONCE)
        if taken is None:
            return
        full, (name, waiting) = self._arms.full, taken
        users = [user for user in waiting if user in full.users]
        now = self._clock()
        lists = self._arms.recommend(users, name, self._top, self._explain_top) if users else []
        for user, items in zip(users, lists, strict=True):
            row = full.users.get(user)
            assert row is not None
            self._remember(name, row, [item.row for item in items], now)
            record = self._record(name, items, int(now * 1000))
            yield list_write(self._keys.recommendations(user, name), record, self._ttl)

    def _record(self, domain: str, items: list[Any], now_ms: int) -> RecommendationList:
        full = self._arms.full
        return RecommendationList(
            RECORD_VERSION,
            full.model,
            int(full.newest[full.index[domain]] * 1000),
            now_ms,
            listed([(i.item_id, i.score, i.why) for i in items], self._explain_top),
        )

    def _remember(self, domain: str, user_row: int, rows: list[int], now: float) -> None:
        """Which items the store lists for this user (row + 1; 0 is empty), so that a removal finds its lists."""
        self._on_lists[domain] = on_lists = grown(self._on_lists[domain], user_row + 1)
        self._noted.add(user_row)
        on_lists[user_row] = 0
        on_lists[user_row, : len(rows)] = np.array(rows, np.int32) + 1
        self._written_at = grown(self._written_at, user_row + 1)
        self._written_at[user_row] = now

    def _refresh(self, now: float) -> None:
        """Lists that would expire in the second half of their life are written again, oldest first."""
        old = np.flatnonzero((self._written_at > 0) & (self._written_at < now - self._ttl / 2))
        if len(old):
            due = set(old[np.argsort(self._written_at[old], kind="stable")][:REFRESH_USERS].tolist())
            for user, row in self._arms.full.users.items():
                if row in due:
                    self._users.setdefault(user, ([], []))
                    self._lists.add(user)
            self._written_at[list(due)] = 0.0
            self._noted.update(list(due))
        self._changed |= len(old) > 0

    def _slow(self, now_ms: int) -> Iterable[Write]:
        full = self._arms.full
        for name in self._listing:
            items = self._arms.recommend([None], name, self._top, self._explain_top)[0]
            record = self._record(name, items, now_ms)
            yield list_write(self._keys.popular(name), record, None)
        for domain in full.domains:
            fields: dict[str, str | int | float] = {
                "role": domain.role,
                "model": full.model,
                "published_ts": now_ms,
            }
            if domain.is_target:
                fields["strategy"] = full.network.strategy[full.index[domain.name]]
            yield hash_write(self._keys.domain(domain.name), fields | self._arms.report(domain.name))
        yield self._meta(now_ms)

    def _meta(self, now_ms: int) -> Write:
        meta = {
            "schema": SCHEMA,
            "dim": self._arms.full.network.dim,
            "model": self._arms.full.model,
            "started_ts": self._started_ts,
            "published_ts": now_ms,
        }
        return hash_write(self._keys.meta, meta)

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
            "on_lists": {name: Rows(self._noted, rows) for name, rows in self._on_lists.items()},
            "written_at": Rows(self._noted, self._written_at),
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
        for name, rows in state["on_lists"].items():
            if name in self._on_lists and rows.shape[1] == self._top:
                self._on_lists[name] = rows
        self._written_at = state["written_at"]
