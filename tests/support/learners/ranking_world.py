"""Make a ranker with its tables, without a learner, on a synthetic stream of two domains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.ranking.candidates import NOTHING, Added
from models.ranking.ranker import Ranker
from models.ranking.rankings import Judged, Ranked, Space
from models.schema import Domain
from models.signals.registry import LAYOUT
from models.signals.signal import Asked
from models.tables.catalogue import Catalogue
from models.tables.event_rings import Done, asking
from models.tables.user_history import History
from models.text.nearest import Lists
from models.threads import Workers
from tests.support.plain.ranking import Who

DIM, WIDTH = 8, 4
NO_LISTS = (
    np.zeros((0, WIDTH), np.float32), np.zeros(1, np.int32), np.zeros(0, np.int32),
    np.zeros((0, WIDTH), np.int8), np.zeros(0, np.float32),
)  # fmt: skip
Event = tuple[int, int, int]
"""Domain, user row, item row."""


class World:
    """Users of a group like the items of that group, in both domains. time: seconds."""

    def __init__(
        self, text: bool = True, items: int = 120, users: int = 30, network: bool = False, threads: int = 1
    ) -> None:
        self.random = np.random.default_rng(0)
        self.items, self.users, self.time = items, users, 1e9
        self.catalogues = [Catalogue(1000, DIM), Catalogue(1000, DIM)]
        self.domains = [Domain("movies"), Domain("books", role="target")]
        self.history = History(self.catalogues)
        self.ranker = Ranker(self.domains, self.catalogues, workers=Workers(threads))
        for catalogue in self.catalogues:
            for n in range(items):
                row, _ = catalogue.touch(f"i{n}")
                if text:
                    catalogue.set_vector(row, self.random.normal(size=DIM).astype(np.float32) + (n % 3))
        rows = items if network else 0
        self.network = [self.random.normal(size=(rows, WIDTH)).astype(np.float32) for _ in self.domains]
        self.vectors = self.random.normal(size=(users, WIDTH)).astype(np.float32)

    # Events

    def event(self) -> Event:
        user = int(self.random.integers(self.users))
        return int(self.random.integers(2)), user, int(self.random.zipf(1.5) * 3 + user % 3) % self.items

    def done(self, events: Sequence[Event], apart: float = 3600.0) -> Done:
        domain, user, item = np.array(events, np.int64).T
        return Done(domain, user, item, self.time + apart * np.arange(1, len(events) + 1))

    def learn(self, events: Sequence[Event], apart: float = 3600.0) -> list[int]:
        """Learn a micro-batch; return the ranks, -1 for none. apart: seconds between two events."""
        done = self.done(events, apart)
        recalled, seen = self.history.recall(done), self.history.seen_before(done)
        slots = self.ranker.statistics.claim(done)
        asked = self.ranker.ask(done, recalled, seen, self.vectors_of(done.user))
        ranks = np.full(len(events), -1)
        questions = {
            d: (self.space(d), np.flatnonzero(done.domain == d)) for d in np.unique(done.domain).tolist()
        }
        for wanted, _, _, found in self.ranker.score(asked, questions, learn=True).values():
            ranks[wanted] = found.rank[:, 0]
        places = [np.flatnonzero(done.domain == domain) for domain in range(len(self.catalogues))]
        self.ranker.statistics.fold(done, places, slots, asked.recent_slot, recalled)
        self.history.extend(done)
        self.time = float(done.time[-1])
        found: list[int] = ranks.tolist()
        return found

    def run(self, events: int, batch: int = 8) -> list[int]:
        stream = [self.event() for _ in range(events)]
        return [rank for at in range(0, events, batch) for rank in self.learn(stream[at : at + batch])]

    # Questions

    def vectors_of(self, users: NDArray[np.int64]) -> NDArray[np.float32]:
        known = (users >= 0) & (users < len(self.vectors))
        return np.where(known[:, None], self.vectors[np.where(known, users, 0)], np.float32(0))

    def space(self, domain: int) -> Space:
        count = len(self.network[domain])
        return Space(
            self.vectors, self.network[domain], Lists(*NO_LISTS, np.arange(count, dtype=np.int32), count)
        )

    def asked(self, users: Sequence[int | None], domain: int = 1, item: int = -1) -> Asked:
        done = asking(users, domain)
        done.time[:], done.item[:] = self.time, item
        recalled = self.history.recall(done, together=False)
        seen = self.history.seen_before(done, together=False)
        return self.ranker.ask(done, recalled, seen, self.vectors_of(done.user))

    def who(self, user: int | None, domain: int = 1) -> Who:
        """Return the user for the plain rules."""
        recent = self.history.recent(user)
        latest = list(zip(recent.domain.tolist(), recent.row.tolist(), strict=True))[::-1]
        vector = self.vectors_of(np.array([-1 if user is None else user]))[0]
        return Who(latest, self.history.count(user, domain), self.time, vector, self.network[domain])

    def rank(self, user: int | None, item: int, domain: int = 1) -> int | None:
        """Return the rank of an item; None without one."""
        asked = self.asked([user], domain, item)
        rank = int(self.judged(asked, domain).ranks.rank[0, 0])
        return None if rank < 0 else rank

    def judged(self, asked: Asked, domain: int = 1, learn: bool = False) -> Judged:
        """Return the ranking of the first event of `asked`."""
        question = self.space(domain), np.zeros(1, np.int64)
        return self.ranker.score(asked, {domain: question}, learn)[domain]

    def recommend(
        self, users: Sequence[int | None], k: int, only: str | None = None, domain: int = 1
    ) -> list[Ranked]:
        return self.ranker.recommend(domain, self.asked(users, domain), self.space(domain), k, only)

    def proposed(
        self, user: int | None, domain: int = 1, include: int = -1
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the candidates' rows (C,) and their columns (columns, C)."""
        asked = self.asked([user], domain)
        added = Added(np.full((1, 1), include, np.int32), NOTHING.new)
        found = self.ranker.propose(domain, asked, self.space(domain), np.zeros(1, np.int64), added)
        count = int(found.sizes[0])
        return found.rows[0, :count].copy(), found.values[0, : len(LAYOUT), :count].copy()

    def column(self, name: str, user: int | None, domain: int = 1, include: int = -1) -> dict[int, float]:
        """Return one column by item row."""
        rows, values = self.proposed(user, domain, include)
        place = [column.name for column in LAYOUT].index(name)
        return dict(zip(rows.tolist(), values[place].tolist(), strict=True))
