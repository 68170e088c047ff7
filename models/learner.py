"""One learner: rating model, ranker and network over shared id tables. Score first, then learn.

scored = learner.score(event)      # mutates nothing
learner.learn(event, scored)       # fast path: this event counts for the very next one
learner.end_batch()                # slow path: one network step on the micro-batch
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.event_clock import EventClock
from models.item_intake import ItemIntake
from models.network.config import NetworkConfig
from models.network.network_learner import NetworkLearner
from models.pending_batch import PendingBatch, PendingEvent
from models.ranking.ranker import Ranker, Scored
from models.ranking.recommendation import Recommendation, pool_size, to_list
from models.rating.model import TASTE_WIDTH, RatingModel, RatingParts, ResolvedEvent
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from models.state.tracked_tables import Live, LiveRows
from models.tables.catalogue import Catalogue
from models.tables.id_table import IdTable
from models.tables.user_history import History

VECTOR_DIM = 64
NETWORK_DIM = 32
EVICTIONS = 8
"""Users who give way at one event for what others have seen: a state far over its bound shrinks by and by."""


class ScoredEvent(NamedTuple):
    """What was known before learning: `parts` for ratings, `ranked` for every event of a domain with lists."""

    parts: RatingParts | None
    prediction: float | None
    """Clipped to the rating range; None for a click."""
    ranked: Scored

    @property
    def rank(self) -> int | None:
        return self.ranked.rank


class ItemView(NamedTuple):
    """What is published of an item."""

    vector: NDArray[np.float32]
    title: str
    bias: float
    popularity: float


class Learner(Live):
    """Learns from the events of its domains; events and items of other domains are not for it."""

    def __init__(self, domains: Sequence[Domain], settings: LearningSettings | None = None) -> None:
        settings = settings or LearningSettings()
        self.diversity = settings.ranker.diversity
        self.domains = list(domains)
        self.index = {d.name: n for n, d in enumerate(self.domains)}
        self.users = IdTable(settings.users)
        self._seen_items = settings.seen_items * settings.users
        self.catalogues = [
            Catalogue(
                settings.items_per_domain,
                VECTOR_DIM,
                d.catalogue == "required",
                d.permits,
                settings.exact_items,
            )
            for d in self.domains
        ]
        self.history = History(self.catalogues)
        self.rating = RatingModel(self.domains, VECTOR_DIM, settings.adaptation.enabled)
        self.ranker = Ranker(self.domains, self.catalogues, self.history, seed=settings.seed)
        chosen = NetworkConfig(dim=NETWORK_DIM, strategy=settings.adaptation.strategy)
        self.network = NetworkLearner(self.domains, self.catalogues, self.history, chosen, settings.seed)
        names = [d.name for d in self.domains]
        self.intake = ItemIntake(names, self.catalogues, TASTE_WIDTH, self.network.touch_item)
        self.clock = EventClock(len(self.domains))
        self.learned = [0 for _ in self.domains]
        self.evicted_users: list[str] = []
        self.evicted: list[tuple[str, str, int]] = []
        """(domain, item id, row) of items that lost their row; whoever publishes empties it."""
        self.pending = PendingBatch()
        self._share_marks()
        self._no_vector = np.zeros(VECTOR_DIM, np.float32)

    def _share_marks(self) -> None:
        """One mark a touched user or item serves all tables with a row for it."""
        by_user: list[LiveRows] = [self.rating.taste, self.history, *self.ranker.choices]
        for table in by_user:
            table.written = self.users.written
        signals = self.ranker.statistics
        for d, catalogue in enumerate(self.catalogues):
            by_item: list[LiveRows] = [self.rating.records[d], signals.popularity[d], signals.stage[d]]
            for table in by_item:
                table.written = catalogue.ids.written

    # Items

    def put_item(self, item: Item) -> bool:
        """The latest item event: replaces what was known of the item; a removed one goes at once.

        True if its words have to be encoded: the vector that is there is of other words, or there is none.
        """
        domain = self.index[item.domain]
        # A removed item has a row too, so that later interactions with it do not bring it back.
        return self.intake.put(domain, self._item_row(domain, item.item_id), item)

    def put_text_vectors(self, vectors: dict[tuple[str, str], NDArray[np.float32]], idle: bool) -> None:
        """Raw text vectors by (domain, item id), from the encoder; `idle`: it has no more for now."""
        self.intake.put_text_vectors(vectors, idle)

    def _item_row(self, domain: int, item_id: str) -> int:
        catalogue = self.catalogues[domain]
        row, evicted = catalogue.touch(item_id)
        if evicted is not None:
            self.rating.drop_item(domain, row, evicted)
            self.ranker.drop_item(domain, row)
            self.intake.evicted(domain, row, evicted)
            self.evicted.append((self.domains[domain].name, evicted, row))
            self.pending.drop_item(domain, row)
            self.network.reset_item(domain, row)
            self.history.item_reborn(domain, row)
        return row

    def _user_row(self, user_id: str) -> int:
        row, evicted = self.users.touch(user_id)
        if evicted is not None:
            self._evicted(evicted, row)
        return row

    def _evicted(self, user_id: str, row: int) -> None:
        self.evicted_users.append(user_id)
        self._drop_user(row, user_id)

    def _drop_user(self, row: int, user_id: str) -> None:
        self.rating.drop_user(row, user_id)
        self.ranker.drop_user(row)
        self.network.reset_user(row)
        self.history.drop_user(row)
        self.pending.drop_user(row)

    def forget_user(self, user_id: str) -> int | None:
        """Leaves no trace of the user but what shared parts learned from them. Gives the row they had, if any."""
        self.evicted_users = [user for user in self.evicted_users if user != user_id]
        row = self.users.discard(user_id)
        if row is not None:
            self._drop_user(row, user_id)
        return row

    # Events

    @property
    def newest(self) -> list[float]:
        """Newest event time, seconds, per domain: what decay counts from (`EventClock`)."""
        return self.clock.newest

    def score(self, event: Interaction, clock: EventClock | None = None) -> ScoredEvent:
        """Prediction and rank of an event before it is learned; creates no row and changes nothing.

        clock: another than the learner's own, for events that are scored far ahead of what is learned.
        """
        domain = self.index[event.domain]
        user, item = self.users.get(event.user), self.catalogues[domain].ids.get(event.item)
        time = (clock or self.clock).at(domain, event.timestamp / 1000.0)
        ranked = Scored(None)
        if self.domains[domain].recommend:  # of other domains nobody reads lists: nothing to learn for them
            affinity = self.network.affinities(domain, [user])[0]
            ranked = self.ranker.score(domain, user, item, event.item, time, affinity)
        if event.kind == "click":
            return ScoredEvent(None, None, ranked)
        parts = self._rate(self._resolved(domain, event.user, event.item, event.context, time))
        low, high = self.domains[domain].rating_range
        return ScoredEvent(parts, min(max(parts.total, low), high), ranked)

    def rating_now(self, domain: int, user_id: str, item_id: str) -> RatingParts:
        """Return the parts of the rating that this user would give this item at the domain's newest event time."""
        return self._rate(self._resolved(domain, user_id, item_id, (), self.newest[domain]))

    def _resolved(
        self, domain: int, user_id: str, item_id: str, context: tuple[str, ...], time: float
    ) -> ResolvedEvent:
        user, item = self.users.get(user_id), self.catalogues[domain].ids.get(item_id)
        vector = self._no_vector if item is None else self.catalogues[domain].vectors[item]
        return ResolvedEvent(domain, user, item, user_id, item_id, vector, context, time)

    def _rate(self, event: ResolvedEvent) -> RatingParts:
        external = self.network.rating_residual(event.domain, event.user, event.item, event.vector)
        return self.rating.predict(event, external)

    def learn(self, event: Interaction, scored: ScoredEvent) -> None:
        """The fast path. `scored` is what `score` gave for this event just before."""
        domain = self.index[event.domain]
        item = self._item_row(domain, event.item)
        user = self._user_row(event.user)
        before = self.newest[domain]
        time = self.clock.move(domain, event.timestamp / 1000.0)
        if time < before:
            self._end_future()
        residual = float("nan")
        if event.value is not None and scored.parts is not None:
            residual = event.value - (scored.parts.total - scored.parts.external)
            resolved = self._resolved(domain, event.user, event.item, event.context, time)
            self.rating.learn(resolved, event.value, scored.parts)
        self.pending.add(PendingEvent(domain, user, item, residual, time, self.network.context(user)))
        self.ranker.learn(scored.ranked, domain, user, item, time)
        self.ranker.observe(domain, user, item, time)
        self.history.add(user, domain, item, event.item, time)
        for _ in range(EVICTIONS):
            if self.history.seen_items <= self._seen_items or len(self.users) == 1:
                break
            self._evicted(*self.users.evict())
        self.learned[domain] += 1

    def end_future(self, now: float) -> bool:
        """Ends what a wrong time did: no clock and no time in a table lies after `now` (s). True if one did."""
        wrong = self.clock.end_future(now)
        if wrong:
            self._end_future()
        return wrong

    def _end_future(self) -> None:
        """A clock was put back: no table holds a time after it."""
        self.ranker.end_future(self.newest)
        latest = max(self.newest)
        self.history.end_future(latest)
        self.rating.taste.end_future(latest)
        self.network.end_future(latest)
        self.pending.end_future(latest)

    def end_batch(self) -> None:
        """The slow path: one network step on the events since the last one."""
        slow = self.pending.take()
        if slow:
            self.network.learn(
                np.array([s.domain for s in slow], np.int64),
                np.array([s.user for s in slow], np.int64),
                np.array([s.item for s in slow], np.int64),
                np.array([s.residual for s in slow], np.float32),
                np.array([s.time for s in slow], np.float64),
                np.stack([s.recent for s in slow]),
            )

    def forget_evictions(self) -> None:
        """For a learner of which nothing is published."""
        self.evicted, self.evicted_users = [], []

    @property
    def waiting(self) -> int:
        """Events since the last network step."""
        return len(self.pending)

    # What is published

    @property
    def model(self) -> int:
        """Network steps so far: the `model` field of everything published."""
        return self.network.steps

    def recommend(
        self,
        users: Sequence[str | None],
        domain_name: str,
        k: int,
        explain: int | None = None,
        only: str | None = None,
    ) -> list[list[Recommendation]]:
        """The best `k` items for each user (None or unknown: as for a new one), best first.

        The first `explain` of them (all by default) carry `why`. only: the one signal that ranks.
        """
        domain = self.index[domain_name]
        catalogue = self.catalogues[domain]
        rows = [None if u is None else self.users.get(u) for u in users]
        affinity = self.network.affinities(domain, rows)
        pool = pool_size(k, self.diversity)
        lists = self.ranker.recommend(domain, rows, self.newest[domain], pool, affinity, only=only)
        explained = k if explain is None else explain
        return [to_list(catalogue, ranked, k, explained, self.diversity) for ranked in lists]

    def user_vectors(self, users: Sequence[str]) -> NDArray[np.float32]:
        """(len(users), network dim)"""
        return self.network.user_vectors([self.users.get(u) for u in users])

    def item_views(self, domain_name: str, item_ids: Sequence[str]) -> list[ItemView | None]:
        """What is published of each item; None for one that was removed or has no row."""
        domain = self.index[domain_name]
        catalogue = self.catalogues[domain]
        vectors = self.network.item_vectors(domain)
        demand = self.ranker.statistics.popularity[domain]
        views: list[ItemView | None] = []
        for item_id in item_ids:
            row = catalogue.ids.get(item_id)
            if row is None or self.intake.removed(domain, row):
                views.append(None)
                continue
            bias = self.rating.item_bias(domain, row, item_id, catalogue.vectors[row])
            views.append(
                ItemView(
                    vectors[row], catalogue.title_of[row], bias, demand.count("30d", row, self.newest[domain])
                )
            )
        return views

    def events_of(self, user_id: str) -> dict[str, int]:
        row = self.users.get(user_id)
        return {d.name: self.history.count(row, n) for n, d in enumerate(self.domains)}

    # State

    def live(self) -> dict[str, Any]:
        return {
            "domains": [d.name for d in self.domains],
            "roles": [d.role for d in self.domains],
            "rating_ranges": [list(d.rating_range) for d in self.domains],
            "users": self.users.live(),
            "catalogues": [c.live() for c in self.catalogues],
            "history": self.history.live(),
            "rating": self.rating.live(),
            "ranker": self.ranker.live(),
            "network": self.network.live(),
            **self.intake.live(),
            "evicted": [list(entry) for entry in self.evicted],
            "evicted_users": list(self.evicted_users),
            **self.clock.state(),
            "learned": list(self.learned),
            **self.pending.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Raises ValueError if the state belongs to other domains: `models/migration` makes such a one fit."""
        names = [d.name for d in self.domains]
        if state["domains"] != names:
            raise ValueError(f"the state holds the domains {state['domains']}, the config {names}")
        self.users.load(state["users"])
        for catalogue, part in zip(self.catalogues, state["catalogues"], strict=True):
            catalogue.load(part)
        self.network.make_room([c.ids.capacity for c in self.catalogues])
        self.history.load(state["history"])
        self.rating.load(state["rating"])
        self.ranker.load(state["ranker"])
        self.network.load(state["network"])
        self.intake.load(state)
        self.evicted = [(d, i, row) for d, i, row in state["evicted"]]
        self.evicted_users = list(state["evicted_users"])
        self.clock.load(state)
        self.learned = list(state["learned"])
        self.pending.load(state)
