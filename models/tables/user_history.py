"""What each user did: a short ring of recent items over all domains, and every item had per domain."""

from __future__ import annotations

from array import array
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import Touched
from models.state.tracked_tables import Lists, LiveRows, Rows, unpacked
from models.tables.catalogue import Catalogue, grown, item_hash

SEEN_LIMIT = 2000


class Recent(NamedTuple):
    """A user's latest items, oldest first. All arrays have one entry an item."""

    domain: NDArray[np.int8]
    row: NDArray[np.int32]
    time: NDArray[np.float64]
    """Seconds since the epoch."""


NOTHING = Recent(np.zeros(0, np.int8), np.zeros(0, np.int32), np.zeros(0))


def newest_first(latest: Recent, length: int) -> NDArray[np.float64]:
    """(length, 3): domain, row and time of the latest items; domain -1 where there is none."""
    out = np.full((length, 3), -1.0)
    n = min(len(latest.row), length)
    out[:n, 0], out[:n, 1], out[:n, 2] = (
        latest.domain[::-1][:n],
        latest.row[::-1][:n],
        latest.time[::-1][:n],
    )
    return out


class History(LiveRows):
    """Per user row: `recent` (the last `length` events, any domain) and `seen` (exact, latest 2,000 a domain).

    Recent entries point at item rows; a row that was given to another item since is left out (`born`).
    Seen entries are hashes of item ids, so they outlive an item's eviction.
    """

    def __init__(self, catalogues: list[Catalogue], length: int = 50) -> None:
        self.catalogues = catalogues
        self.written = Touched()
        """User rows."""
        self.length = length
        self.sequence = 0
        self.seen_items = 0
        """Of all users together."""
        self.events = np.zeros((0, len(catalogues)), np.int64)
        self._domain = np.zeros((0, length), np.int8)
        self._row = np.zeros((0, length), np.int32)
        self._time = np.zeros((0, length), np.float64)
        self._seq = np.zeros((0, length), np.int64)
        self._born = [np.zeros(0, np.int64) for _ in catalogues]
        self._seen: list[dict[int, array[int]]] = [{} for _ in catalogues]
        self._seen_written = [Touched() for _ in catalogues]
        self._births = 0
        self._memo: tuple[tuple[int, int, int], Recent] | None = None

    def add(self, user: int, domain: int, item: int, item_id: str, time: float) -> bool:
        """Records one event; True if the user had not had this item."""
        if user >= len(self.events):
            for name in ("events", "_domain", "_row", "_time", "_seq"):
                setattr(self, name, grown(getattr(self, name), user + 1))
        self.sequence += 1
        slot = int(self.events[user].sum()) % self.length
        self._domain[user, slot], self._row[user, slot] = domain, item
        self._time[user, slot], self._seq[user, slot] = time, self.sequence
        self.events[user, domain] += 1
        seen = self._seen[domain].setdefault(user, array("q"))
        key = item_hash(item_id)
        if key in seen:
            return False
        self._seen_written[domain].add(user)
        seen.append(key)
        self.seen_items += 1
        if len(seen) > SEEN_LIMIT:
            del seen[0]
            self.seen_items -= 1
        return True

    def count(self, user: int | None, domain: int) -> int:
        """Events of this user ever learned in this domain (since the row was given to them)."""
        return int(self.events[user, domain]) if user is not None and user < len(self.events) else 0

    def recent(self, user: int | None) -> Recent:
        """The last `length` events of the user whose items are still resident, oldest first."""
        if user is None or user >= len(self.events):
            return NOTHING
        # One event asks for the same user's items several times over.
        asked = (user, self.sequence, self._births)
        if self._memo is None or self._memo[0] != asked:
            self._memo = (asked, self._recent(user))
        return self._memo[1]

    def _recent(self, user: int) -> Recent:
        total = int(self.events[user].sum())
        if not total:
            return NOTHING
        # A slice is far cheaper than an index, and most users have not come round the ring.
        order = slice(total) if total <= self.length else np.arange(total - self.length, total) % self.length
        seq = self._seq[user][order]
        domain, row, time = (a[user][order].copy() for a in (self._domain, self._row, self._time))
        recent = Recent(domain, row, time)
        keep = domain >= 0  # what was of a domain that is gone is of none
        for d, born in enumerate(self._born):
            if len(born):  # rows past its end were never given away
                known = (domain == d) & (row < len(born))
                keep[known] &= seq[known] >= born[row[known]]
        return recent if keep.all() else Recent(domain[keep], row[keep], recent.time[keep])

    def newest(self, users: list[int | None], length: int) -> NDArray[np.float64]:
        """(n, length, 3): domain, row and time of what `recent` gives for each, newest first; domain -1: none.

        length: at most that of the ring.
        """
        if len(users) == 1:
            return newest_first(self.recent(users[0]), length)[None]
        out = np.full((len(users), length, 3), -1.0)
        known = [n for n, user in enumerate(users) if user is not None and user < len(self.events)]
        rows = np.array([users[n] for n in known], np.int64)[:, None]
        back = self.events[rows[:, 0]].sum(1)[:, None] - 1 - np.arange(length)
        places = rows, back % self.length
        domain, row, seq = self._domain[places], self._row[places], self._seq[places]
        there = back >= 0
        gone = there & (domain < 0)
        for d, born in enumerate(self._born):
            if len(born):
                here = there & (domain == d) & (row < len(born))
                gone[here] = seq[here] < born[row[here]]
        found = np.where(there[:, :, None], np.stack([domain, row, self._time[places]], 2), -1.0)
        whole = ~gone.any(1)
        out[np.array(known, np.int64)[whole]] = found[whole]
        for n in np.array(known, np.int64)[~whole].tolist():  # older ones move up
            out[n] = newest_first(self.recent(users[n]), length)
        return out

    def has_seen(self, user: int | None, domain: int, item_id: str) -> bool:
        return user is not None and item_hash(item_id) in self._seen[domain].get(user, ())

    def seen_rows(self, user: int | None, domain: int) -> NDArray[np.int64]:
        """Rows, in this domain's catalogue, of resident items that the user has had."""
        if user is None or user not in self._seen[domain]:
            return np.zeros(0, np.int64)
        rows = self.catalogues[domain].row_by_hash
        return np.array([rows[h] for h in self._seen[domain][user] if h in rows], np.int64)

    def eligible(self, user: int | None, domain: int) -> NDArray[np.bool_]:
        """Return (rows,): which items of the domain may be recommended and were not had by the user."""
        catalogue = self.catalogues[domain]
        eligible = catalogue.recommendable[: catalogue.size].copy()
        eligible[self.seen_rows(user, domain)] = False
        return eligible

    def item_reborn(self, domain: int, row: int) -> None:
        """The row now belongs to another item: earlier recent entries no longer mean it."""
        self._born[domain] = grown(self._born[domain], row + 1)
        self._born[domain][row] = self.sequence + 1
        self._births += 1

    def end_future(self, now: float) -> None:
        """No event is of a time after `now` (s)."""
        wrong = np.flatnonzero((self._time > now).any(1))
        self._time[wrong] = np.minimum(self._time[wrong], now)
        self.written.update(wrong.tolist())
        self._births += 1  # what was asked for before is not so any more

    def drop_user(self, user: int) -> None:
        if user < len(self.events):
            for rows in (self.events, self._domain, self._row, self._time, self._seq):
                rows[user] = 0
        self._births += 1
        for seen, written in zip(self._seen, self._seen_written, strict=True):
            if (gone := seen.pop(user, None)) is not None:
                self.seen_items -= len(gone)
                written.drop(user)

    def live(self) -> dict[str, Any]:
        return {
            "sequence": self.sequence,
            "births": self._births,
            **{
                k: Rows(self.written, getattr(self, k))
                for k in ("events", "_domain", "_row", "_time", "_seq")
            },
            "born": {str(d): b for d, b in enumerate(self._born)},
            "seen": {
                str(d): Lists(written, seen)
                for d, (written, seen) in enumerate(zip(self._seen_written, self._seen, strict=True))
            },
        }

    def load(self, state: dict[str, Any]) -> None:
        self.sequence, self._births = int(state["sequence"]), int(state["births"])
        self._memo = None
        for name in ("events", "_domain", "_row", "_time", "_seq"):
            setattr(self, name, state[name].copy())
        self._born = [state["born"][str(d)].copy() for d in range(len(self.catalogues))]
        self._seen = [unpacked(state["seen"][str(d)]) for d in range(len(self.catalogues))]
        self.seen_items = sum(len(items) for seen in self._seen for items in seen.values())
        for written in self._seen_written:
            written.everything()
