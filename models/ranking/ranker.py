"""Rank a domain's items for users, and learn from each event how much each signal counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ranking.candidates import NOTHING, Added
from models.ranking.conditional_logit import ConditionalLogit
from models.ranking.event_weights import NO_WEIGHTS, EventWeights
from models.ranking.proposal import (
    TOP,
    Known,
    Proposed,
    Rankers,
    Ranks,
    Scratches,
    Weighing,
    judge,
    propose,
    room_for,
)
from models.ranking.rankings import Judged, Proposing, Ranked, Space, listed
from models.schema import Domain
from models.settings import EventType
from models.signals.item_statistics import ItemStatistics
from models.signals.registry import ALL, KNOTS, NAMES, PRIOR, TARGET_ONLY
from models.signals.signal import Asked, Items
from models.signals.text_affinity import add_to_profiles, normalise
from models.state.dirty_keys import DirtyKeys
from models.state.tracked_tables import Checkpointed
from models.tables.catalogue import Catalogue
from models.tables.event_rings import Done, Recalled, Seen
from models.threads import ALONE, Task, Workers

WORTH_SPLITTING = 16
"""The least number of questions for a thread, because starting one costs as much as a question."""
BLOCK = 64
"""The number of users whose lists are made together, which bounds the memory for their candidates."""
NO_PLACES = np.zeros(0, np.int64)
NO_ROWS = np.zeros(0, np.int32)


class Ranker(Checkpointed):
    """The ranker of all domains. For every batch call `ask`, then `score`, then `statistics.fold`. Times are seconds.

    A target among several domains has two conditional logits over the same columns: one with all signals, and a
    target-only one to compare with, which knows no other domain.
    """

    def __init__(
        self,
        domains: Sequence[Domain],
        catalogues: list[Catalogue],
        compare: bool = True,
        workers: Workers = ALONE,
        users: DirtyKeys | None = None,
        types: Mapping[str, EventType] | None = None,
    ) -> None:
        """Begin without events.

        compare: whether targets get a target-only ranker. users: dirty user rows. types: the producer's
        own types of events.
        """
        self.event_weights = EventWeights(types or {})
        self.catalogues = catalogues
        self.domains = list(domains)
        self.statistics = ItemStatistics(catalogues, [domain.recommend for domain in domains])
        self.choices = [ConditionalLogit(PRIOR, KNOTS, NAMES, users) for _ in domains]
        self.target_only = {
            d: ConditionalLogit(PRIOR, KNOTS, NAMES, users)
            for d, domain in enumerate(domains)
            if compare and len(domains) > 1 and domain.is_target and domain.recommend
        }
        self.workers = workers
        self._scratches = Scratches()
        self._room: dict[int, Proposed] = {}
        """Candidates by domain. The candidates of all domains of a batch are read after all were scored."""

    # Questions

    def ask(self, done: Done, recalled: Recalled, seen: Seen, vectors: NDArray[np.float32]) -> Asked:
        """Return what the ranker knows of the users of B events or lists.

        done: the questions; recalled, seen: what their users did before. vectors: (B, D) the users in the network's
        space.
        """
        shape = recalled.row.shape
        counts, slots = np.ones(shape, np.float32), np.full(shape, -1, np.int32)
        weights, worth = self.event_weights.asked(done, recalled.kind)
        profiles = np.zeros((len(done.user), self.catalogues[0].dim), np.float32)
        for d, catalogue in enumerate(self.catalogues):
            add_to_profiles(
                profiles,
                d,
                recalled.domain,
                recalled.row,
                weights,
                catalogue.directions.units[: catalogue.size],
            )
            self.statistics.describe_recent(d, recalled, counts, slots)
        if self.event_weights:
            counts /= weights**2
        normalise(profiles)
        gap = np.where(recalled.n > 0, np.maximum(done.time - recalled.time[:, 0], 0.0), -1.0)
        own = recalled.domain == done.domain[:, None]
        return Asked(
            done.user, done.item, done.time, self.statistics.shared_clock(done.time), recalled.events, gap, own,
            recalled.row, slots, counts, recalled.n, profiles, vectors, seen.hashes, seen.at,
            worth, weights,
        )  # fmt: skip

    def _items(self, domain: int, space: Space) -> Items:
        catalogue, statistics = self.catalogues[domain], self.statistics
        size = catalogue.size
        statistics.reserve(domain, size)  # does nothing if the owner of the rows has reserved them
        popularity, experience = statistics.popularity[domain], statistics.experience[domain]
        directions, index = catalogue.directions, catalogue.row_by_hash
        return Items(
            catalogue.recommendable, directions.units, directions.lists(size), space.items, space.lists,
            popularity.counts, popularity.first, popularity.clock, popularity.top_rows,
            experience.moments, experience.total, index.keys, index.rows,
        )  # fmt: skip

    def propose(
        self, domain: int, asked: Asked, space: Space, wanted: NDArray[np.int64], added: Added = NOTHING
    ) -> Proposed:
        """Return the candidates of the questions `wanted`, (n,). The next call for this domain overwrites them."""
        proposing = self._proposing(domain, asked, space, wanted, added)
        self.workers.run(proposing.tasks)
        return proposing.room

    def _proposing(
        self, domain: int, asked: Asked, space: Space, wanted: NDArray[np.int64], added: Added = NOTHING
    ) -> Proposing:
        """Prepare `propose`: make room for the candidates, and cut the questions into tasks."""
        if domain not in self._room or len(wanted) > len(self._room[domain].sizes):
            self._room[domain] = room_for(len(wanted))
        room = self._room[domain].part(slice(len(wanted)))
        visits = self.statistics.visits.kernel_view(domain, domain in self.target_only)
        known = Known(asked, self._items(domain, space), visits)
        rows = max(len(catalogue.recommendable) for catalogue in self.catalogues)
        self._scratches.make(self.workers.threads, len(visits.domain_of), rows, self.catalogues[0].dim)

        def task(some: slice) -> None:
            with self._scratches.one() as scratch:
                propose(known, scratch, wanted[some], Added(added.sure[some], added.new), room.part(some))

        slices = self.workers.slices(len(wanted), WORTH_SPLITTING)
        return Proposing(wanted, room, [partial(task, some) for some in slices])

    def _weighing(self, choice: ConditionalLogit, places: NDArray[np.int64]) -> Weighing:
        return Weighing(choice.weights, choice.squares, choice.users.row_of, choice.users.values, places)

    def _target_only(self, domain: int) -> Weighing:
        if domain in self.target_only:
            return self._weighing(self.target_only[domain], TARGET_ONLY)
        none = np.zeros((0, 0))
        return Weighing(none, none, NO_ROWS, np.zeros((0, 2, 0), np.uint16), NO_PLACES)

    def score(
        self,
        asked: Asked,
        questions: Mapping[int, tuple[Space, NDArray[np.int64]]],
        learn: bool,
        beside: Sequence[Task] = (),
    ) -> dict[int, Judged]:
        """Rank the items of events of several domains, and learn the choices if `learn`.

        questions: for each domain, its space and the places of its events in `asked`, (n,). beside: tasks that run
        while candidates are found. The results are valid until the next call.
        """
        proposing = {d: self._proposing(d, asked, *question) for d, question in questions.items()}
        workers = self.workers if len(asked.user) >= 2 * WORTH_SPLITTING else ALONE
        # Candidates come first, so that a first start compiles them while another process compiles the rest
        workers.run([*(task for one in proposing.values() for task in one.tasks), *beside])
        judging = {d: self._judging(d, asked, one, learn) for d, one in proposing.items()}
        workers.run([task for _, task in judging.values()])
        return {d: judged for d, (judged, _) in judging.items()}

    def _judging(self, domain: int, asked: Asked, found: Proposing, learn: bool) -> tuple[Judged, Task]:
        """Prepare the ranks of events of one domain, and return them with the task that writes them."""
        wanted, proposed, _ = found
        count = len(wanted)
        ranks = Ranks(
            np.empty((count, 4), np.int64), np.empty(count, np.int64), np.empty((count, TOP), np.int32)
        )
        if learn:
            users = asked.user[wanted]
            ranked = (proposed.sizes > 0) & (asked.item[wanted] >= 0) & (users >= 0)
            self._make_room(domain, users[ranked])
        rankers = Rankers(self._weighing(self.choices[domain], ALL), self._target_only(domain))
        task = partial(judge, asked, wanted, proposed, rankers, learn, ranks)
        return Judged(wanted, asked, proposed, ranks), task

    def _make_room(self, domain: int, users: NDArray[np.int64]) -> None:
        """Make room for the slopes of users who choose something in the domain."""
        self.choices[domain].users.make_room(users)
        if domain in self.target_only:
            self.target_only[domain].users.make_room(users)

    # Lists

    def recommend(
        self,
        domain: int,
        asked: Asked,
        space: Space,
        k: int,
        only: str | None = None,
        target_only: bool = False,
    ) -> list[Ranked]:
        """Return the best k items of each question.

        only: the one signal that is the score, None for all. target_only: use the target-only ranker.
        """
        lists = []
        weighing = self.weighing(domain, only, target_only)
        for begin in range(0, len(asked.user), BLOCK):
            wanted = np.arange(begin, min(begin + BLOCK, len(asked.user)))
            proposed = self.propose(domain, asked, space, wanted)
            lists += listed(asked, wanted, proposed, weighing, k)
        return lists

    def explain(
        self,
        domain: int,
        asked: Asked,
        space: Space,
        item: int,
        only: str | None = None,
        target_only: bool = False,
    ) -> Ranked:
        """Return the score and the contributions of one item for the first question, even if it is not eligible.

        item: its row. only, target_only: see `recommend`.
        """
        first, sure = np.zeros(1, np.int64), np.full((1, 1), item, np.int32)
        proposed = self.propose(domain, asked, space, first, Added(sure, NOTHING.new))
        weighing = self.weighing(domain, only, target_only)
        ranked = listed(asked, first, proposed, weighing, len(proposed.rows[0]))[0]
        at = np.flatnonzero(ranked.rows == item)
        return Ranked(ranked.rows[at], ranked.scores[at], ranked.contributions[at])

    def weighing(self, domain: int, only: str | None, target_only: bool) -> Weighing:
        """Return how lists weigh signals. only, target_only: see `recommend`."""
        if only is not None:
            weights = np.zeros_like(self.choices[domain].weights)
            weights[0, NAMES.index(only)] = 1.0
            return Weighing(weights, weights, NO_ROWS, np.zeros((0, 2, len(NAMES)), np.uint16), ALL)
        return self._target_only(domain) if target_only else self._weighing(self.choices[domain], ALL)

    # Rows and state

    def end_future(self, newest: list[float]) -> None:
        """Let nothing count as later than the domains' clocks, in seconds."""
        self.statistics.end_future(newest)

    def drop_item(self, domain: int, row: int) -> None:
        """Forget the row: it is free, or stands for another item, from now on."""
        self.statistics.drop_item(domain, row)

    def drop_user(self, row: int) -> None:
        """Forget the row: it is free, or stands for another user, from now on."""
        for choice in (*self.choices, *self.target_only.values()):
            choice.drop_user(row)

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "signals": self.statistics.live(),
            "choices": [choice.live() for choice in self.choices],
            "alone": {str(domain): choice.live() for domain, choice in self.target_only.items()},
            **({"events": self.event_weights.live()} if self.event_weights else {}),
        }

    def load(self, state: dict[str, Any]) -> NDArray[np.int8]:
        """Take up a state. Target-only rankers that it lacks begin anew. Return the present kinds of its kinds."""
        self.statistics.load(state["signals"])
        for domain, catalogue in enumerate(self.catalogues):
            self.statistics.reserve(domain, catalogue.size)
        for choice, held in zip(self.choices, state["choices"], strict=True):
            choice.load(held)
        for domain, choice in self.target_only.items():
            if (held := state.get("alone", {}).get(str(domain))) is not None:
                choice.load(held)
        return self.event_weights.load(state.get("events", NO_WEIGHTS))
