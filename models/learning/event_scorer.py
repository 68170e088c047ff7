"""Score a micro-batch of events with all parts of a learner, and let each part learn from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.learning.facts import NOT_RANKED, Facts, Lessons
from models.learning.followers import by_followers
from models.learning.pending_batch import Pending, PendingBatch
from models.network.reading.network_reader import NetworkReader
from models.ranking.proposal import ARMS
from models.ranking.ranker import Ranker
from models.ranking.rankings import Judged, Space
from models.rating.events import EXTERNAL, RatedBatch, totals
from models.rating.model import RatingModel
from models.schema import Domain, Interaction
from models.signals.signal import Asked
from models.tables.catalogue import Catalogue
from models.tables.event_rings import Done, Recalled, Seen, asking
from models.tables.user_history import History
from models.threads import Task

Floats = NDArray[np.float64]


class Resolved(NamedTuple):
    """A micro-batch of B events by rows.

    events: as they came. done: their rows and times. new: (B,) whether the item had no row before. places: for each
    domain, the places of its events.
    """

    events: Sequence[Interaction]
    done: Done
    new: NDArray[np.bool_]
    places: list[NDArray[np.int64]]


def resolved(events: Sequence[Interaction], done: Done, new: NDArray[np.bool_], domains: int) -> Resolved:
    """Return the micro-batch with the places of its events by domain. domains: their number."""
    return Resolved(events, done, new, [np.flatnonzero(done.domain == domain) for domain in range(domains)])


class Models(NamedTuple):
    """The parts that score and learn. target_only: for each target, the rating model that knows no other domain."""

    rating: RatingModel
    target_only: Mapping[int, RatingModel]
    ranker: Ranker
    network: NetworkReader


class EventScorer:
    """A learner's way of scoring and learning events. The network's events wait in `pending`.

    The order matters: users and items are read as they were before the batch, and then item state learns the batch.
    """

    def __init__(
        self, domains: Sequence[Domain], catalogues: Sequence[Catalogue], history: History, models: Models
    ) -> None:
        self.domains, self.catalogues, self.history, self.models = domains, catalogues, history, models
        self.pending = PendingBatch()
        self.trains = True
        """Whether the network learns here, so that events wait for it."""
        self.learned = np.zeros(len(domains), np.int64)
        """(domains,): the number of events learned so far."""
        self._ranges = np.array([domain.rating_range for domain in domains])

    def score(self, resolved: Resolved) -> Facts:
        """Return the facts of the events, and change nothing."""
        recalled, _, vectors = self._users_of(resolved.done)
        return self._facts(resolved, recalled, self._asked(resolved, recalled, vectors), None)

    def learn(self, resolved: Resolved, known: bool = False) -> Facts:
        """Return the facts of the events from before each is learned, and learn them in their order.

        known: items and all shared tables have learned the events already, so that only users learn.
        """
        done, statistics = resolved.done, self.models.ranker.statistics
        slots = statistics.claim(done)
        recalled, context, vectors = self._users_of(done)
        asked = self._asked(resolved, recalled, vectors)
        facts = self._facts(resolved, recalled, asked, self._lessons(len(slots)), both=not known)
        if not known:
            self._fold(resolved, recalled, asked, slots)
            self.learned += [len(here) for here in resolved.places]
        self.history.extend(done, Seen(asked.seen, asked.seen_at))
        waiting = Pending(done.domain, done.user, done.item, facts.residual, done.time, context)
        if len(done.kind):
            waiting = waiting.some(done.chosen())
        if self.trains and len(waiting.user):
            self.pending.add(waiting)
        return facts

    def _fold(self, resolved: Resolved, recalled: Recalled, asked: Asked, slots: NDArray[np.int64]) -> None:
        """Let the statistics of items learn the events. slots: of the items."""
        done, statistics, weights = (
            resolved.done,
            self.models.ranker.statistics,
            self.models.ranker.event_weights,
        )
        worth = None
        if len(done.kind):
            worth = weights.of(done.kind)
            visits = statistics.visits.kernel_view(0)
            weights.learn(by_followers(asked, visits), slots, recalled.kind, visits)
        statistics.fold(done, resolved.places, slots, asked.recent_slot, recalled, worth)

    def ask(self, users: Sequence[int | None], domain: int, time: float) -> Asked:
        """Return what the ranker knows of users who get lists of a domain. users: rows, None for a new user.

        time: seconds.
        """
        done = asking(users, domain)
        done.time[:] = time
        recalled, _, vectors = self._users_of(done, together=False)
        seen = self.history.seen_before(done, together=False)
        return self.models.ranker.ask(done, recalled, seen, vectors)

    def space(self, domain: int, vectors: NDArray[np.float32]) -> Space:
        """Return the network's vectors of users, (B, D), and of a domain's items."""
        network = self.models.network
        return Space(vectors, network.item_vectors(domain), network.item_lists(domain))

    def rated(self, resolved: Resolved, vectors: NDArray[np.float32] | None = None) -> RatedBatch:
        """Return the events as input of a rating model. The value of a click is nan.

        vectors: (B, D) of the users; None: compute them.
        """
        events, done, _, places = resolved
        value = np.array([np.nan if event.value is None else event.value for event in events])
        if vectors is None:
            _, _, vectors = self._users_of(done)
        texts = np.zeros((len(events), self.catalogues[0].dim), np.float32)
        items = np.empty_like(vectors)
        for d, (catalogue, here) in enumerate(zip(self.catalogues, places, strict=True)):
            if len(here):
                rows = done.item[here]
                some = slice(None) if rows.min() >= 0 else rows >= 0
                texts[here[some]] = catalogue.vectors[rows[some]]
                items[here] = self.models.network.vectors_of_items(d, rows)
        external = self.models.network.rating_residuals(vectors, items, done.domain).astype(np.float64)
        contexts = [event.context for event in events]
        return RatedBatch(done.domain, done.user, done.item, texts, value, external, done.time, contexts)

    def _users_of(self, done: Done, together: bool = True) -> tuple[Recalled, Floats, NDArray[np.float32]]:
        """Return what the events' users did before, the same as the network's context, and their vectors, (B, D).

        together: see `recall`.
        """
        recalled, network = self.history.recall(done, together), self.models.network
        context = recalled.context(network.config.recent)
        return recalled, context, network.user_vectors_of(context)

    def _asked(self, resolved: Resolved, recalled: Recalled, vectors: NDArray[np.float32]) -> Asked:
        """Return what the ranker knows of the events' users. A new item is not ranked."""
        done = resolved.done
        asked = self.models.ranker.ask(done, recalled, self.history.seen_before(done), vectors)
        return asked._replace(item=np.where(resolved.new, -1, done.item))

    def _lessons(self, count: int) -> Lessons:
        full = self.models.rating.no_lessons(count)
        return Lessons(full, np.full(full.shape, np.nan))

    def _facts(
        self, resolved: Resolved, recalled: Recalled, asked: Asked, lessons: Lessons | None, both: bool = True
    ) -> Facts:
        """Return the facts of the events. lessons: written; None to learn nothing. both: see `learn_batch`."""
        done, new = resolved.done, resolved.new
        rated, learned = self.rated(resolved, asked.vector), None if lessons is None else lessons.full
        known = [here[~new[here]] for here in resolved.places]
        parts = target_only = np.zeros(0)

        def rate() -> None:
            nonlocal parts, target_only
            parts = _parts(self.models.rating, rated, learned, both)
            target_only = self._target_only(rated, lessons, both)

        judged = self._judged(known, asked, lessons is not None, rate)
        chosen = done.chosen()
        known = [here[chosen[here]] for here in known]  # a skip is learned, but it is no question
        rank = np.full((len(new), len(ARMS)), NOT_RANKED, np.int64)
        for one in judged.values():
            rank[one.wanted] = one.ranks.rank
        rarity, before = self._rarity(done, known), self._learned_before(resolved.places)
        total = totals(parts)
        low, high = self._ranges[done.domain].T
        residual = rated.value - (total - parts[:, EXTERNAL])
        return Facts(
            done, new, resolved.places, recalled, rated.value, parts, np.clip(total, low, high),
            np.clip(target_only, low, high), residual, rank, rarity, before, judged, rated, lessons,
        )  # fmt: skip

    def _judged(
        self, known: list[NDArray[np.int64]], asked: Asked, learn: bool, rate: Task
    ) -> dict[int, Judged]:
        """Return the rankings of events by domain. A domain without lists needs none.

        known: for each domain, the places of events whose item had a row before. rate: rates the events meanwhile.
        """
        questions = {
            domain: (self.space(domain, asked.vector), wanted)
            for domain, (what, wanted) in enumerate(zip(self.domains, known, strict=True))
            if what.recommend and len(wanted)
        }
        return self.models.ranker.score(asked, questions, learn, [rate])

    def _rarity(self, done: Done, known: list[NDArray[np.int64]]) -> Floats:
        rarity = np.full(len(done.item), np.nan)
        for popularity, here in zip(self.models.ranker.statistics.popularity, known, strict=True):
            if len(here):
                rarity[here] = popularity.negative_log_shares(done.item[here])
        return rarity

    def _learned_before(self, places: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        before = np.empty(sum(map(len, places)), np.int64)
        for count, here in zip(self.learned.tolist(), places, strict=True):
            before[here] = np.arange(count, count + len(here))
        return before

    def _target_only(self, rated: RatedBatch, lessons: Lessons | None, both: bool) -> Floats:
        """Return the predictions of the target-only rating models before clipping, (B,), nan for none."""
        predicted = np.full(len(rated.value), np.nan)
        for domain, model in self.models.target_only.items():
            here = np.flatnonzero((rated.domain == domain) & ~np.isnan(rated.value))
            if len(here):
                own = None if lessons is None else model.no_lessons(len(here))
                predicted[here] = totals(_parts(model, rated.of_one_domain(here), own, both))
                if lessons is not None:
                    lessons.target_only[here] = own
        return predicted


def _parts(model: RatingModel, rated: RatedBatch, lessons: Floats | None, both: bool) -> Floats:
    """Return the parts of the predicted ratings, (B, 12), nan for clicks. With lessons, learn the ratings."""
    parts = model.predict_batch(rated) if lessons is None else model.learn_batch(rated, lessons, both)
    parts[np.isnan(rated.value)] = np.nan
    return parts
