"""Learn from the events of several domains: rating model, ranker and network over shared id tables.

facts = learner.learn(events)      # a micro-batch: each event is scored before it is learned
learner.end_batch()                # slow path: one network step on the events that wait
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.experiments.experiment import Experiment
from models.experiments.totals import ExperimentTotals
from models.learning.event_clock import EventClock
from models.learning.event_scorer import EventScorer, Models, Resolved, resolved
from models.learning.exchange.foreign_facts import Folded, Located, fold, locate
from models.learning.facts import Facts, ScoredEvent
from models.learning.items.item_intake import ItemIntake
from models.learning.learner_state import end_future, live_of, load_into
from models.learning.lister import Lister, PersonalList
from models.learning.pending_batch import Pending, PendingBatch
from models.learning.resident_rows import OneDomain, ResidentRows, RowTables
from models.learning.shown.list_maker import Wish
from models.learning.shown.shown_learning import ShownLearning
from models.network.config import NetworkConfig
from models.network.network_learner import NetworkLearner
from models.network.published.published_network import PublishedNetwork
from models.ranking.ranker import Ranker
from models.ranking.recommendation import Recommendation
from models.rating.events import RatingParts
from models.rating.model import TASTE_WIDTH, RatingModel
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from models.sharing.shared_facts import SharedFacts
from models.state.tracked_tables import Checkpointed
from models.tables.catalogue import Catalogue
from models.tables.event_rings import Done
from models.tables.id_table import IdTable
from models.tables.user_history import History
from models.text.projection import Array, Vectors
from models.threads import Workers, nothing

VECTOR_DIM = 64
NETWORK_DIM = 32
EVICTIONS = 8
"""The most users that are evicted at one event because of the bound on seen items, so that no event takes long."""


class Learner(Checkpointed):
    """One learner of its domains. Events and items of other domains raise KeyError."""

    def __init__(
        self,
        domains: Sequence[Domain],
        settings: LearningSettings | None = None,
        follows: bool = False,
        experiments: Sequence[Experiment] = (),
    ) -> None:
        """Begin with nothing learned. settings: default `LearningSettings()`. experiments: whose outcome is counted.

        follows: the network is trained by another process, which publishes its weights; see `network_exchange.py`.
        """
        settings = settings or LearningSettings()
        self.list_settings = settings.ranker
        self.domains = list(domains)
        self.index = {d.name: n for n, d in enumerate(self.domains)}
        self.users = IdTable(settings.users)
        self._seen_items = settings.seen_items * settings.users
        size, exact = settings.items_per_domain, settings.exact_items
        self.catalogues = [
            Catalogue(size, VECTOR_DIM, d.catalogue == "required", d.permits, exact) for d in self.domains
        ]
        marks, types, workers = self.users.written, settings.events, Workers(settings.threads)
        self.history = History(self.catalogues, written=marks)
        compare = settings.compare and len(self.domains) > 1
        forget, ids = settings.adaptation.enabled, [catalogue.ids for catalogue in self.catalogues]
        self.rating = RatingModel(self.domains, VECTOR_DIM, forget, self.users, ids)
        self.target_only = {
            n: RatingModel([d], VECTOR_DIM, forget, self.users, [ids[n]])
            for n, d in enumerate(self.domains)
            if compare and d.is_target
        }
        """For each target, a rating model that knows no other domain. Transfer gain is measured against it."""
        self.ranker = Ranker(self.domains, self.catalogues, compare, workers, marks, types)
        chosen = NetworkConfig(seed=settings.seed, dim=NETWORK_DIM, strategy=settings.adaptation.strategy)
        made = PublishedNetwork if follows else NetworkLearner
        self.network: PublishedNetwork | NetworkLearner = made(
            self.domains, self.catalogues, self.history, chosen, workers
        )
        self.intake = ItemIntake(list(self.index), self.catalogues, TASTE_WIDTH, self.network.touch_item)
        self.intake.projection.follows = follows
        self.clock = EventClock(len(self.domains))
        self._share_marks()
        target_only = [OneDomain(domain, model) for domain, model in self.target_only.items()]
        models = Models(self.rating, self.target_only, self.ranker, self.network)
        self.scorer = EventScorer(self.domains, self.catalogues, self.history, models)
        self.scorer.trains = not follows
        self.experiments = ExperimentTotals(experiments)
        tables: list[RowTables] = [*target_only, self.rating, self.ranker, self.pending, self.network]
        self.rows = ResidentRows(self.users, self.catalogues, self.intake, tables)
        self.shown = ShownLearning(self, settings)
        self.impressions, self.appeal = self.shown.impressions, self.shown.appeal
        tables += [self.history, *self.shown.tables, self.experiments]

    def _share_marks(self) -> None:
        """Let all tables with a row a user or item share the marks of dirty rows."""
        marks = [catalogue.ids.written for catalogue in self.catalogues]
        self.rating.share_marks(self.users.written, marks)
        for domain, model in self.target_only.items():
            model.share_marks(self.users.written, [marks[domain]])

    # Items

    def put_item(self, item: Item, streamed: bool = False) -> bool:
        """Replace what is known of the item by its latest item event. Return whether its words have to be encoded.

        streamed: it came in the stream, not in a file.
        """
        domain = self.index[item.domain]
        # A removed item has a row too, so that later interactions with it do not bring it back.
        row = self.rows.item(domain, item.item_id)
        self.ranker.statistics.reserve(domain, row + 1)  # so that scoring allocates nothing
        return self.intake.put(domain, row, item, streamed)

    def item_row(self, domain_name: str, item_id: str) -> int | None:
        """Return the item's row, None if it has none."""
        return self.catalogues[self.index[domain_name]].ids.get(item_id)

    def put_text_vectors(self, vectors: Vectors, idle: bool, beside: bool = False) -> None:
        """Take in raw text vectors, (width,), by domain and item id; see `ItemIntake.put_text_vectors`."""
        self.intake.put_text_vectors(vectors, idle, beside)

    def forget_user(self, user_id: str) -> int | None:
        """Erase the user from every table; shared weights keep what they learned. Return the freed row, or None."""
        self.experiments.forget(self.users.get(user_id))
        return self.rows.forget_user(user_id)

    # Events

    @property
    def newest(self) -> list[float]:
        """The newest event time of each domain in seconds, from which decay counts; see `EventClock`."""
        return self.clock.newest

    def score(self, event: Interaction, clock: EventClock | None = None) -> ScoredEvent:
        """Return prediction and rank of an event as if it came now; change nothing. clock: replaces the learner's."""
        time = (clock or self.clock).at(self.index[event.domain], event.timestamp / 1000.0)
        return self.scorer.score(self._resident(event, time)).of(0)

    def learn(self, events: Sequence[Interaction], known: bool = False, step: bool = False) -> Facts:
        """Score each event of a micro-batch, then learn it: the fast path. A batch has at most `most_events` events.

        A user's event counts for the same user's next event. It counts for other users from the next batch on. known:
        `fold` had the events before, so that only users learn them. step: take a step of `end_batch` beside it.
        """
        self.shown.learn()  # what users were shown is scored as they are before their clicks on it
        batch = self._resolve(events)
        end_step = self.pending.begin_step(self.network) if step else nothing  # rows stay from here on
        facts = self.scorer.learn(batch, known)
        end_step()
        for _ in range(EVICTIONS * len(events)):
            if self.history.seen_items <= self._seen_items or len(self.users) == 1:
                break
            self.rows.evict_user()
        return facts

    def fold(self, shared: SharedFacts) -> Pending:
        """Let items and all shared tables learn facts of events whose users another learner has; see `foreign_facts`.

        Return the events as a network can learn them: the own network does not. A batch has at most `most_events`.
        """
        located = self._located(shared)
        fold(self._folded(), located)
        return located.pending

    def gather(self, shared: SharedFacts) -> None:
        """Let the network alone learn facts of events, at its next step. A batch has at most `most_events`."""
        self.pending.add(self._located(shared).pending)

    def _located(self, shared: SharedFacts) -> Located:
        return locate(self._folded(), self.index, shared, self._end_future)

    def _folded(self) -> Folded:
        return Folded(self.catalogues, self.rows, self.clock, self.scorer.models, self.scorer.learned)

    @property
    def most_events(self) -> int:
        """The most events of a batch, so that no row gets another owner within a batch."""
        capacities = [self.users.capacity, *(catalogue.ids.capacity for catalogue in self.catalogues)]
        return max(1, min(capacities) // 2)

    @property
    def learned(self) -> list[int]:
        """The number of events learned so far, by domain."""
        return list(map(int, self.scorer.learned))

    @property
    def pending(self) -> PendingBatch:
        """Events that wait for the next network step."""
        return self.scorer.pending

    def _resolve(self, events: Sequence[Interaction]) -> Resolved:
        """Give every user and item a row, and every event the time for learning it; return the batch by rows."""
        rows, seconds = self.rows.of(events), np.array([event.timestamp / 1000.0 for event in events])
        times = self.clock.move_all(rows.domain, seconds, self._end_future)
        done = Done(*rows[:3], times, self.ranker.event_weights.kinds(events))
        found, users = resolved(events, done, rows.new, len(self.domains)), int(rows.user.max()) + 1
        for domain, places in enumerate(found.places):
            if len(places):
                self.ranker.statistics.reserve(domain, int(rows.item[places].max()) + 1)
        self.history.reserve(users)
        return found

    def rating_now(self, domain: int, user_id: str, item_id: str) -> RatingParts:
        """Return the parts of the rating that this user would give this item at the domain's newest event time."""
        value = self.domains[domain].rating_range[0]
        event = Interaction(self.domains[domain].name, "rating", user_id, item_id, 0, value)
        rated = self.scorer.rated(self._resident(event, self.newest[domain]))
        return RatingParts(*self.rating.predict_batch(rated)[0].tolist())

    def _resident(self, event: Interaction, time: float) -> Resolved:
        """Return an event by the rows that exist, without creating one."""
        domain = self.index[event.domain]
        user, item = self.users.get(event.user), self.catalogues[domain].ids.get(event.item)
        user_row, item_row = (np.array([-1 if row is None else row]) for row in (user, item))
        done = Done(np.array([domain]), user_row, item_row, np.array([time]))
        return resolved([event], done, done.item < 0, len(self.domains))

    def end_future(self, now: float) -> bool:
        """Set every clock and every stored time after `now` (seconds) to `now`. Return whether a clock was ahead."""
        if wrong := self.clock.end_future(now):
            self._end_future()
        return wrong

    def _end_future(self) -> None:
        end_future(self)

    def end_batch(self) -> None:
        """Take one network step on the events since the last step: the slow path."""
        self.pending.begin_step(self.network)()

    @property
    def waiting(self) -> int:
        """The number of events since the last network step."""
        return len(self.pending)

    # What is published

    @property
    def model(self) -> int:
        """The number of network steps so far, which is the `model` field of everything published."""
        return self.network.steps

    def recommend(
        self,
        users: Sequence[str | None],
        domain_name: str,
        k: int,
        explain: int | None = None,
        only: str | None = None,
        target_only: bool = False,
    ) -> list[list[Recommendation]]:
        """Return the best `k` items for each user, best first. users: ids; None or an unknown id stands for a new user.

        explain: the number of items with `why`, all by default. only: the one signal that ranks, None for all.
        target_only: use the target-only ranker.
        """
        return [made.items for made in self.lists(users, domain_name, Wish(k, only, target_only), explain)]

    def lists(
        self, users: Sequence[str | None], domain_name: str, wish: Wish, explain: int | None = None
    ) -> list[PersonalList]:
        """Return the lists of `recommend`; with `wish.draw` those to publish, which are drawn if lists explore."""
        domain = self.index[domain_name]
        return self.lister(domain, wish.only, wish.target_only).lists(self, users, wish, explain)

    def lister(self, domain: int, only: str | None = None, target_only: bool = False) -> Lister:
        """Return what ranks a domain at its present time. only, target_only: see `recommend`."""
        return Lister(self.scorer, self.shown.lists, domain, self.newest[domain], only, target_only)

    def user_vectors(self, users: Sequence[str]) -> Array:
        """Return the users' vectors, (len(users), network dim). An unknown id has that of a new user."""
        return self.network.user_vectors([self.users.get(u) for u in users])

    def events_of(self, user_id: str) -> dict[str, int]:
        """Return the number of the user's events in each domain, since the user got a row."""
        row = self.users.get(user_id)
        return {d.name: self.history.count(row, n) for n, d in enumerate(self.domains)}

    # State

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return live_of(self)

    def load(self, state: dict[str, Any]) -> None:
        """Load a state. Raises ValueError if it has other domains; `models/migration` makes such a state fit."""
        load_into(self, state)
