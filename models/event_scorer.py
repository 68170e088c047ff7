"""Score a micro-batch of events with all parts of a learner, and let each part learn what concerns it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.facts import NOT_RANKED, Facts
from models.network.network_learner import NetworkLearner
from models.pending_batch import Pending, PendingBatch
from models.ranking.proposal import ARMS
from models.ranking.ranker import Ranker
from models.ranking.rankings import Judged, Space
from models.rating.events import EXTERNAL, RatedBatch, totals
from models.rating.model import RatingModel
from models.schema import Domain, Interaction
from models.signals.signal import Asked
from models.tables.catalogue import Catalogue
from models.tables.event_rings import Done, Recalled, asking, contains
from models.tables.user_history import History

Floats = NDArray[np.float64]


class Resolved(NamedTuple):
    """A micro-batch by rows. events: as they came. done: see `Done`. new: (B,) items without a row before."""

    events: Sequence[Interaction]
    done: Done
    new: NDArray[np.bool_]


class Models(NamedTuple):
    """What scores and learns. alone: by target, the rating model that knows nothing of other domains."""

    rating: RatingModel
    alone: Mapping[int, RatingModel]
    ranker: Ranker
    network: NetworkLearner


class EventScorer:
    """Scores events, and learns them except for the network, whose events wait in `pending`.

    The order matters: users and items are looked at as they are before the batch; then item state is folded in.
    """

    def __init__(
        self, domains: Sequence[Domain], catalogues: Sequence[Catalogue], history: History, models: Models
    ) -> None:
        self.domains, self.catalogues, self.history, self.models = domains, catalogues, history, models
        self.pending = PendingBatch()
        self.learned = np.zeros(len(domains), np.int64)
        """(domains,): events learned so far."""
        self._ranges = np.array([domain.rating_range for domain in domains])

    def score(self, resolved: Resolved) -> Facts:
        """Return what is known of each event; change nothing."""
        recalled, _, vectors = self._users_of(resolved.done)
        return self._facts(resolved, recalled, self._asked(resolved, recalled, vectors), learn=False)

    def learn(self, resolved: Resolved) -> Facts:
        """Return what is known of each event before it, and learn the events in their order."""
        done, statistics = resolved.done, self.models.ranker.statistics
        slots = statistics.claim(done)
        recalled, context, vectors = self._users_of(done)
        asked = self._asked(resolved, recalled, vectors)
        facts = self._facts(resolved, recalled, asked, learn=True)
        statistics.fold(done, slots, asked.recent_slot, recalled)
        self.history.extend(done, contains(asked.seen, asked.seen_at, self.history.hashes(done)))
        self.pending.add(Pending(done.domain, done.user, done.item, facts.residual, done.time, context))
        self.learned += np.bincount(done.domain, minlength=len(self.domains))
        return facts

    def ask(self, users: Sequence[int | None], domain: int, time: float) -> Asked:
        """Return what is known of users (rows) who are to get lists of a domain. time: seconds."""
        done = asking(users, domain)
        done.time[:] = time
        recalled, _, vectors = self._users_of(done, together=False)
        seen = self.history.seen_before(done, together=False)
        return self.models.ranker.ask(done, recalled, seen, vectors)

    def space(self, domain: int, vectors: NDArray[np.float32]) -> Space:
        """Return the network's space for users with these vectors, (B, D), and a domain's items."""
        network = self.models.network
        return Space(vectors, network.item_vectors(domain), network.item_lists(domain))

    def rated(self, resolved: Resolved, vectors: NDArray[np.float32] | None = None) -> RatedBatch:
        """Return the events as a rating model sees them; a click has no value. vectors: (B, D) of the users."""
        events, done, _ = resolved
        value = np.array([np.nan if event.value is None else event.value for event in events])
        if vectors is None:
            _, _, vectors = self._users_of(done)
        texts = np.zeros((len(events), self.catalogues[0].dim), np.float32)
        items = np.zeros_like(vectors)
        rated = ~np.isnan(value)
        for d, catalogue in enumerate(self.catalogues):
            here = np.flatnonzero((done.domain == d) & rated)
            if len(here):
                rows = done.item[here]
                texts[here[rows >= 0]] = catalogue.vectors[rows[rows >= 0]]
                items[here] = self.models.network.vectors_of_items(d, rows)
        external = np.zeros(len(events))
        if rated.any():
            external[rated] = self.models.network.rating_residuals(
                vectors[rated], items[rated], done.domain[rated]
            )
        contexts = [event.context for event in events]
        return RatedBatch(done.domain, done.user, done.item, texts, value, external, done.time, contexts)

    def _users_of(self, done: Done, together: bool = True) -> tuple[Recalled, Floats, NDArray[np.float32]]:
        """Return what the events' users did before, that as the network's context, and their vectors, (B, D).

        together: see `History.recall`.
        """
        recalled, network = self.history.recall(done, together), self.models.network
        context = recalled.context(network.config.recent)
        return recalled, context, network.user_vectors_of(context)

    def _asked(self, resolved: Resolved, recalled: Recalled, vectors: NDArray[np.float32]) -> Asked:
        """Return what the ranker is asked of the events' users: nothing of new items."""
        done = resolved.done
        asked = self.models.ranker.ask(done, recalled, self.history.seen_before(done), vectors)
        return asked._replace(item=np.where(resolved.new, -1, done.item))

    def _facts(self, resolved: Resolved, recalled: Recalled, asked: Asked, learn: bool) -> Facts:
        done, new = resolved.done, resolved.new
        rated = self.rated(resolved, asked.vector)
        judged = self._judged(done, new, asked, learn)
        rank = np.full((len(new), len(ARMS)), NOT_RANKED, np.int64)
        for one in judged.values():
            rank[one.wanted] = one.ranks.rank
        rarity, before = self._rarity(done, new), self._learned_before(done)
        parts = _parts(self.models.rating, rated, learn)
        total = totals(parts)
        low, high = self._ranges[done.domain].T
        residual = rated.value - (total - parts[:, EXTERNAL])
        alone = self._alone(rated, learn)
        return Facts(
            done, new, recalled, rated.value, parts, np.clip(total, low, high), np.clip(alone, low, high), residual,
            rank, rarity, before, judged,
        )  # fmt: skip

    def _judged(self, done: Done, new: NDArray[np.bool_], asked: Asked, learn: bool) -> dict[int, Judged]:
        """Return, by domain with lists, what the ranker says of its events: nobody reads lists of the others."""
        judged = {}
        for domain, what in enumerate(self.domains):
            wanted = np.flatnonzero((done.domain == domain) & ~new)
            if what.recommend and len(wanted):
                space = self.space(domain, asked.vector)
                judged[domain] = self.models.ranker.score(domain, asked, space, wanted, learn)
        return judged

    def _rarity(self, done: Done, new: NDArray[np.bool_]) -> Floats:
        rarity = np.full(len(new), np.nan)
        for domain, popularity in enumerate(self.models.ranker.statistics.popularity):
            here = np.flatnonzero((done.domain == domain) & ~new)
            if len(here):
                rarity[here] = popularity.negative_log_shares(done.item[here])
        return rarity

    def _learned_before(self, done: Done) -> NDArray[np.int64]:
        before = np.empty(len(done.domain), np.int64)
        for domain, count in enumerate(self.learned.tolist()):
            here = done.domain == domain
            before[here] = count + np.arange(here.sum())
        return before

    def _alone(self, rated: RatedBatch, learn: bool) -> Floats:
        """Return what the target-only rating models predict, (B,) before clipping, nan for none."""
        predicted = np.full(len(rated.value), np.nan)
        for domain, model in self.models.alone.items():
            here = np.flatnonzero((rated.domain == domain) & ~np.isnan(rated.value))
            if len(here):
                predicted[here] = totals(_parts(model, rated.of_one_domain(here), learn))
        return predicted


def _parts(model: RatingModel, rated: RatedBatch, learn: bool) -> Floats:
    """Return the parts of the predicted ratings, (B, 12), nan for clicks."""
    parts = model.learn_batch(rated) if learn else model.predict_batch(rated)
    parts[np.isnan(rated.value)] = np.nan
    return parts
