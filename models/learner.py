"""One learner: rating model, ranker and network over shared id tables. Score first, then learn.

facts = learner.learn(events)      # a micro-batch: each event is scored before it is learned
learner.end_batch()                # slow path: one network step on what waits
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.event_clock import EventClock
from models.event_scorer import EventScorer, Models, Resolved, resolved
from models.facts import Facts, ScoredEvent
from models.item_intake import ItemIntake
from models.lister import Lister
from models.network.config import NetworkConfig
from models.network.network_learner import NetworkLearner
from models.pending_batch import PendingBatch
from models.ranking.ranker import Ranker
from models.ranking.recommendation import Recommendation, pool_size, to_list
from models.rating.events import RatingParts
from models.rating.model import TASTE_WIDTH, RatingModel
from models.resident_rows import OneDomain, ResidentRows, RowTables
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from models.state.tracked_tables import Live
from models.tables.catalogue import Catalogue
from models.tables.event_rings import Done
from models.tables.id_table import IdTable
from models.tables.user_history import History

VECTOR_DIM = 64
NETWORK_DIM = 32
EVICTIONS = 8
"""Users who give way at one event for what others have seen: a state far over its bound shrinks by and by."""


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
        self.history = History(self.catalogues, written=self.users.written)
        compare = settings.compare and len(self.domains) > 1
        forget, ids = settings.adaptation.enabled, [catalogue.ids for catalogue in self.catalogues]
        self.rating = RatingModel(self.domains, VECTOR_DIM, forget, self.users, ids)
        self.alone = {
            n: RatingModel([d], VECTOR_DIM, forget, self.users, [ids[n]])
            for n, d in enumerate(self.domains)
            if compare and d.is_target
        }
        """By target, a rating model that knows nothing of other domains: what transfer is measured against."""
        self.ranker = Ranker(self.domains, self.catalogues, compare, settings.threads, self.users.written)
        chosen = NetworkConfig(dim=NETWORK_DIM, strategy=settings.adaptation.strategy)
        self.network = NetworkLearner(self.domains, self.catalogues, self.history, chosen, settings.seed)
        names = [d.name for d in self.domains]
        self.intake = ItemIntake(names, self.catalogues, TASTE_WIDTH, self.network.touch_item)
        self.clock = EventClock(len(self.domains))
        self._share_marks()
        alone = [OneDomain(domain, model) for domain, model in self.alone.items()]
        models = Models(self.rating, self.alone, self.ranker, self.network)
        self._scorer = EventScorer(self.domains, self.catalogues, self.history, models)
        tables: list[RowTables] = [self.rating, *alone, self.ranker, self.pending, self.network, self.history]
        self.rows = ResidentRows(self.users, self.catalogues, self.intake, tables)

    def _share_marks(self) -> None:
        """One mark a touched user or item serves all tables with a row for it."""
        marks = [catalogue.ids.written for catalogue in self.catalogues]
        self.rating.share_marks(self.users.written, marks)
        for domain, model in self.alone.items():
            model.share_marks(self.users.written, [marks[domain]])

    # Items

    def put_item(self, item: Item, streamed: bool = False) -> bool:
        """The latest item event, of a file or `streamed`: replaces what was known; a removed item goes at once.

        True if its words have to be encoded: the vector that is there is of other words, or there is none.
        """
        domain = self.index[item.domain]
        # A removed item has a row too, so that later interactions with it do not bring it back.
        row = self.rows.item(domain, item.item_id)
        self.ranker.statistics.reserve(domain, row + 1)  # scoring must not have to
        return self.intake.put(domain, row, item, streamed)

    def put_text_vectors(self, vectors: dict[tuple[str, str], NDArray[np.float32]], idle: bool) -> None:
        """Raw text vectors by (domain, item id), from the encoder; `idle`: it has no more for now."""
        self.intake.put_text_vectors(vectors, idle)

    def forget_user(self, user_id: str) -> int | None:
        """Leave no trace of the user but what shared parts learned from them. Return the row they had, if any."""
        return self.rows.forget_user(user_id)

    # Events

    @property
    def newest(self) -> list[float]:
        """Newest event time, seconds, per domain: what decay counts from (`EventClock`)."""
        return self.clock.newest

    def score(self, event: Interaction, clock: EventClock | None = None) -> ScoredEvent:
        """Return prediction and rank of an event as if it came now; creates no row and changes nothing.

        clock: another than the learner's own, for events that are scored far ahead of what is learned.
        """
        domain = self.index[event.domain]
        time = (clock or self.clock).at(domain, event.timestamp / 1000.0)
        return self._scorer.score(self._resident(event, time)).of(0)

    def learn(self, events: Sequence[Interaction]) -> Facts:
        """The fast path: score each event of a micro-batch, then learn it.

        What a user did counts for their very next event; what others did to an item counts from the next batch on.
        There may be `most_events` of them.
        """
        facts = self._scorer.learn(self._resolve(events))
        for _ in range(EVICTIONS * len(events)):
            if self.history.seen_items <= self._seen_items or len(self.users) == 1:
                break
            self.rows.evict_user()
        return facts

    @property
    def most_events(self) -> int:
        """How many events may be learned together: no row may change hands within a batch."""
        capacities = [self.users.capacity, *(catalogue.ids.capacity for catalogue in self.catalogues)]
        return max(1, min(capacities) // 2)

    @property
    def learned(self) -> list[int]:
        """Events learned so far, by domain."""
        counts: list[int] = self._scorer.learned.tolist()
        return counts

    @property
    def pending(self) -> PendingBatch:
        """Events that wait for the next network step."""
        return self._scorer.pending

    def _resolve(self, events: Sequence[Interaction]) -> Resolved:
        """Give every user and item a row, and every event the time that it is learned with."""
        rows, times = self.rows.of(events), list[float]()
        for event, domain in zip(events, rows.domain.tolist(), strict=True):
            before = self.newest[domain]
            times.append(self.clock.move(domain, event.timestamp / 1000.0))
            if times[-1] < before:
                self._end_future()
                times = [
                    min(was, self.newest[of]) for was, of in zip(times, rows.domain.tolist(), strict=False)
                ]
        done = Done(rows.domain, rows.user, rows.item, np.array(times))
        found, users = resolved(events, done, rows.new, len(self.domains)), int(rows.user.max()) + 1
        for domain, places in enumerate(found.places):
            if len(places):
                self.ranker.statistics.reserve(domain, int(rows.item[places].max()) + 1)
        self.history.reserve(users)
        self.ranker.reserve(users)
        return found

    def rating_now(self, domain: int, user_id: str, item_id: str) -> RatingParts:
        """Return the parts of the rating that this user would give this item at the domain's newest event time."""
        value = self.domains[domain].rating_range[0]
        event = Interaction(self.domains[domain].name, "rating", user_id, item_id, 0, value)
        rated = self._scorer.rated(self._resident(event, self.newest[domain]))
        return RatingParts(*self.rating.predict_batch(rated)[0].tolist())

    def _resident(self, event: Interaction, time: float) -> Resolved:
        """Return an event by the rows that there are."""
        domain = self.index[event.domain]
        user, item = self.users.get(event.user), self.catalogues[domain].ids.get(event.item)
        user_row, item_row = (np.array([-1 if row is None else row]) for row in (user, item))
        done = Done(np.array([domain]), user_row, item_row, np.array([time]))
        return resolved([event], done, done.item < 0, len(self.domains))

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
        for model in (self.rating, *self.alone.values()):
            model.taste.end_future(latest)
        self.network.end_future(latest)
        self.pending.end_future(latest)

    def end_batch(self) -> None:
        """The slow path: one network step on the events since the last one."""
        events = self.pending.take()
        if events is not None:
            self.network.learn(*events[:3], events.residual.astype(np.float32), *events[4:])

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
        alone: bool = False,
    ) -> list[list[Recommendation]]:
        """Return the best `k` items for each user (None or unknown: as for a new one), best first.

        The first `explain` of them (all by default) carry `why`. only: the one signal that ranks. alone: by the
        target-only ranker.
        """
        domain = self.index[domain_name]
        rows = [None if u is None else self.users.get(u) for u in users]
        lists = self.lister(domain, only, alone).best(rows, pool_size(k, self.diversity))
        explained = k if explain is None else explain
        return [to_list(self.catalogues[domain], ranked, k, explained, self.diversity) for ranked in lists]

    def lister(self, domain: int, only: str | None = None, alone: bool = False) -> Lister:
        """Return what makes rankings of a domain now. only, alone: as of `recommend`."""
        return Lister(self._scorer, domain, self.newest[domain], only, alone)

    def user_vectors(self, users: Sequence[str]) -> NDArray[np.float32]:
        """(len(users), network dim)"""
        return self.network.user_vectors([self.users.get(u) for u in users])

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
            "alone": {self.domains[d].name: model.live() for d, model in self.alone.items()},
            "ranker": self.ranker.live(),
            "network": self.network.live(),
            **self.intake.live(),
            **self.rows.state(),
            **self.clock.state(),
            "learned": self.learned,
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
        for d, model in self.alone.items():
            if (held := state.get("alone", {}).get(names[d])) is not None:
                model.load(held)
        self.ranker.load(state["ranker"])
        self.network.load(state["network"])
        self.intake.load(state)
        self.rows.load(state)
        self.clock.load(state)
        self._scorer.learned[:] = state["learned"]
        self.pending.load(state)
