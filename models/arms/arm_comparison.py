"""Compare the full learner on the same events with simpler arms: the target alone, text, popularity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.adaptation.adaptation_loop import AdaptationLoop, Notice
from models.adaptation.challengers import take_up
from models.arms.arm_selector import NAMES as BUCKET_NAMES
from models.arms.arm_selector import ArmSelector, Task, buckets
from models.arms.hits import Hits
from models.arms.losses import ranks, rating_losses
from models.assessment.prequential import NDCG_LOSS, RMSE, Prequential, ndcg_losses
from models.experiments.experiment import Experiment
from models.learning.facts import Facts
from models.learning.learner import Learner
from models.learning.lister import PersonalList
from models.learning.shown.list_maker import Wish
from models.migration.arm_states import fitted
from models.ranking.recommendation import Recommendation
from models.schema import Domain, Interaction, Item
from models.settings import ARMS, SINGLE, Arm, LearningSettings
from models.sharing.shared_facts import Bias
from models.state.tracked_tables import Checkpointed
from models.tables.id_table import IdTable
from models.text.projection import Vectors


class Serving(NamedTuple):
    """How a user's list is made: by which arm, by which one signal (None: all), and whether without sources."""

    arm: Arm
    only: str | None
    target_only: bool


class Losses(NamedTuple):
    """How the arms did at B events, from before these were learned.

    rating: (B, arms) squared errors, nan for none. rank: (B, arms) of the item, negative for none.
    """

    rating: NDArray[np.float64]
    rank: NDArray[np.int64]


COUNTED = (*ARMS[:2], "followed")
"""The arms whose errors are kept: full, target-only, and the arm that the selector followed."""


class ArmComparison(Checkpointed):
    """The full learner with the prequential errors of all arms. Users get the arm with the lowest error."""

    def __init__(
        self,
        domains: Sequence[Domain],
        settings: LearningSettings | None = None,
        follows: bool = False,
        leads: bool = True,
        experiments: Sequence[Experiment] = (),
    ) -> None:
        """Begin with a learner that has learned nothing. settings: default `LearningSettings()`.

        follows, experiments: see `Learner`. leads: whether drift leads to challengers here; of several shards it does
        so in one.
        """
        self.settings = settings = settings or LearningSettings()
        self.full = Learner(domains, settings, follows, experiments)
        self._ranges = np.array([domain.rating_range for domain in domains])
        self.prequential = Prequential()
        self.selector = ArmSelector()
        self.loop = AdaptationLoop(self.full) if settings.adaptation.enabled and leads else None
        self.latest: Facts | None = None
        """The facts of the latest micro-batch."""
        self.losses: Losses | None = None
        """The losses of the latest micro-batch."""
        self.hits = Hits(len(domains))
        """Of the events learned here, since the process started."""
        self.shares = False
        """Whether other shards share facts: all shards then count the losses of all events in the order of the log."""
        self.moved = False
        """Whether the last `load` had to move or rename any part of the saved state."""

    def learn(self, events: Sequence[Interaction], known: bool = False, step: bool = False) -> list[Notice]:
        """Score and learn a micro-batch of events; return the notices of the adaptation loop.

        known, step: see `Learner.learn`.
        """
        most = self.full.most_events
        if len(events) > most:
            return [
                notice
                for start in range(0, len(events), most)
                for notice in self.learn(events[start : start + most], known, step and start == 0)
            ]
        facts = self.latest = self.full.learn(events, known, step)
        domain = facts.done.domain
        self.losses = Losses(rating_losses(facts, self._ranges[domain]), ranks(facts))
        self.hits.add(domain, self.losses.rank)
        if not self.shares:
            self.judge(domain, facts.recalled.events, self.losses)
        return [] if self.loop is None else self.loop.step(events, facts)

    def judge(self, domain: NDArray[np.int64], events: NDArray[np.int64], losses: Losses) -> None:
        """Count the losses of all arms at B events. domain: (B,). events: (B,) earlier ones of their users in it."""
        self._judge(domain, events, "rating", RMSE, losses.rating)
        self._judge(domain, events, "ranking", NDCG_LOSS, ndcg_losses(losses.rank))

    def _judge(
        self,
        domain: NDArray[np.int64],
        events: NDArray[np.int64],
        task: Task,
        metric: str,
        losses: NDArray[np.float64],
    ) -> None:
        """Count the losses (B, arms) of all arms, and of the arm that was followed before this batch was known."""
        counted = np.full((len(domain), len(COUNTED)), np.nan)
        counted[:, :2] = losses[:, :2]
        for target in self.full.target_only:
            here = np.flatnonzero((domain == target) & ~np.isnan(losses[:, 0]))
            if len(here):
                name = self.full.domains[target].name
                counted[here, 2] = self.selector.judge(name, task, buckets(events[here]), losses[here])
        rows = self.prequential.rows(tuple(self.full.index), metric, COUNTED)
        self.prequential.add(rows[domain].ravel(), counted.ravel())

    def take_up(self, bias: Bias) -> None:
        """Take up a rating bias that the adaptation loop of another shard has promoted."""
        if self.loop is None:
            take_up(self.full, bias)
        else:
            self.loop.take_up(bias)

    def taken_up(self) -> list[Bias]:
        """Return the rating biases that the adaptation loop has promoted since the last call, if other shards share."""
        if self.loop is None:
            return []
        taken, self.loop.promoted = self.loop.promoted or [], []
        return taken

    def end_batch(self) -> None:
        """Take a network step on the events since the last step."""
        self.full.end_batch()

    def user_tables(self) -> dict[str, IdTable]:
        """Return the rows of users, by arm."""
        return {"full": self.full.users}

    def rowless_users(self) -> set[str]:
        """Return the users that the state holds without a row of the full learner.

        They were evicted a moment ago, or only a challenger knows them. There are few.
        """
        challenged = set() if self.loop is None else self.loop.users()
        return {
            user for user in challenged.union(self.full.rows.evicted_users) if user not in self.full.users
        }

    def end_future(self, now: float) -> bool:
        """Set every clock and every stored time after `now` (seconds) to `now`; see `Learner.end_future`."""
        return self.full.end_future(now)

    def forget_user(self, user_id: str) -> int | None:
        """Forget the user here and in challengers; see `Learner.forget_user`. Return the row they had, or None."""
        if self.loop is not None:
            self.loop.drop_user(user_id)
        return self.full.forget_user(user_id)

    def put_item(self, item: Item, streamed: bool = False) -> bool:
        """Replace what is known of the item by its latest item event; see `Learner.put_item`."""
        return self.full.put_item(item, streamed)

    def items_of_stream(self, domain: str) -> list[str]:
        """Return the ids of the domain's items that the stream has."""
        return self.full.catalogues[self.full.index[domain]].of_stream()

    def put_text_vectors(self, vectors: Vectors, idle: bool, beside: bool = False) -> None:
        """Take in raw text vectors by domain and item id; see `Learner.put_text_vectors`."""
        self.full.put_text_vectors(vectors, idle, beside)

    def serving(self, user: str | None, domain: str) -> Serving:
        """Return who makes this user's list (None or unknown: a new one's): what is followed for users like them."""
        return self._servings([user], domain)[0]

    def _servings(self, users: Sequence[str | None], domain: str) -> list[Serving]:
        full, index = self.full, self.full.index[domain]
        rows = [None if user is None else full.users.get(user) for user in users]
        places = buckets(np.array([full.history.count(row, index) for row in rows])).tolist()
        found = {place: self._serving(place, domain, index) for place in set(places)}
        return [found[place] for place in places]

    def _serving(self, place: int, domain: str, index: int) -> Serving:
        """Return who makes the lists of a bucket of users."""
        return self._by(self.selector.choice(domain, BUCKET_NAMES[place], "ranking"), index)

    def _by(self, arm: Arm, index: int) -> Serving:
        return Serving(arm, SINGLE.get(arm), arm == "target_only" and index in self.full.ranker.target_only)

    def recommend(
        self, users: Sequence[str | None], domain: str, k: int, explain: int | None = None
    ) -> list[list[Recommendation]]:
        """Return the items of `lists`, which are not published, and so never drawn. k: items of a list."""
        return [one.items for one in self.lists(users, domain, Wish(k), explain)]

    def lists(
        self,
        users: Sequence[str | None],
        domain: str,
        wish: Wish,
        explain: int | None = None,
        made_by: Arm | None = None,
    ) -> list[PersonalList]:
        """Return the lists of `Learner.lists`, each made by the arm that the guard follows for that user.

        wish: what is wanted of them, of any arm. made_by: the arm that makes all of them instead.
        """
        if made_by is None:
            serving = self._servings(users, domain)
        else:
            serving = [self._by(made_by, self.full.index[domain])] * len(users)
        lists: list[PersonalList] = [PersonalList([]) for _ in users]
        for one in dict.fromkeys(serving):
            places = [n for n, other in enumerate(serving) if other == one]
            wanted = wish._replace(only=one.only, target_only=one.target_only)
            some = self.full.lists([users[n] for n in places], domain, wanted, explain)
            for n, found in zip(places, some, strict=True):
                lists[n] = found
        return lists

    def report(self, domain: str) -> dict[str, float]:
        """Return the figures of a domain, by the field names of `cc:domain:<domain>`."""
        full, prequential = self.full, self.prequential
        index = full.index[domain]
        fields = {"mean": full.rating.mean(index)}
        for terms in (full.rating.domain_terms(index), full.network.domain_bias(index)):
            fields |= {f"bias:{term}": value for term, value in terms.items()}
        if full.domains[index].is_target:
            fields["adaptation_rate"] = full.network.adaptation_rate(index)
            for name, values in (
                ("divergence", full.network.divergence(index)),
                ("weight", full.network.source_weights(index)),
            ):
                fields |= {f"{name}:{full.domains[s].name}": value for s, value in values.items()}
        for name, metric, arm in prequential.measured():
            if name == domain:
                fields[f"error:{metric}:{arm}"] = prequential.error(domain, metric, arm) or 0.0
                gain = prequential.gain(domain, metric)
                if gain is not None:
                    fields[f"gain:{metric}"] = gain
        return fields

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "full": self.full.live(),
            "prequential": self.prequential.state(),
            "guard": self.selector.state(),
            "loop": None if self.loop is None else self.loop.live(),
        }

    def load(self, state: dict[str, Any]) -> list[str]:
        """Load a state, before anything is learned. Return a sentence for each difference; see `models/migration`.

        Raises ValueError if the state and the config have no domain in common.
        """
        state, notes, self.moved = fitted(state, self.state(), self.full.domains)
        wanted = self._capacities()
        self.full.load(state["full"])
        notes += self.full.experiments.notes
        notes += [
            f"{name} is {wanted[name]:,}, but the state has {rows:,} rows; they stay"
            for name, rows in self._capacities().items()
            if rows > wanted[name]
        ]
        self.prequential.load(state["prequential"])
        self.selector.load(state["guard"])
        if self.loop is not None and state["loop"] is not None:
            self.loop.load(state["loop"])
            notes += self.loop.drift.notes
        return notes

    def _capacities(self) -> dict[str, int]:
        """Return the capacities of the full learner's tables, by the config key that sets them."""
        full = self.full
        items = {
            f"learner.items_per_domain of {name}": full.catalogues[n].ids.capacity
            for name, n in full.index.items()
        }
        return {"learner.users": full.users.capacity} | items
