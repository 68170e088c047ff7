"""The full learner and, beside it on the same stream, one target-only learner per target: what transfer brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.adaptation.adaptation_loop import AdaptationLoop, Notice
from models.arm_selector import Arm, Guard, Task, bucket
from models.assessment.prequential import NDCG_LOSS, RMSE, Prequential, ndcg_at_10
from models.learner import Learner, ScoredEvent
from models.migration.arm_states import fitted
from models.ranking.recommendation import Recommendation
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from models.signals.registry import NAMES
from models.state.tracked_tables import Live
from models.tables.id_table import IdTable


class Serving(NamedTuple):
    """Who makes a user's list: the arm, its learner, and the one signal that ranks (None: all of them)."""

    arm: Arm
    learner: Learner
    only: str | None


class Arms(Live):
    """Feeds every event to all arms, score before learn, and keeps their prequential errors."""

    def __init__(self, domains: Sequence[Domain], settings: LearningSettings | None = None) -> None:
        settings = settings or LearningSettings()
        self.full = Learner(domains, settings)
        self.alone = {
            d.name: Learner([d], settings)
            for d in domains
            if d.is_target and settings.compare and len(domains) > 1
        }
        self.prequential = Prequential()
        self.guard = Guard()
        self.loop = AdaptationLoop(self.full) if settings.adaptation.enabled else None
        self.moved = False
        """Whether the last `load` put anything in another place than where it is saved."""

    def step(self, event: Interaction) -> list[Notice]:
        """Scores, judges and learns one event; gives what the adaptation loop has to say of it."""
        full = self.full
        scored = full.score(event)
        alone = self.alone.get(event.domain)
        beside = alone.score(event) if alone is not None else None
        self._judge(event, scored, beside)
        notices = self.loop.step(event, scored) if self.loop is not None else []
        full.learn(event, scored)
        if alone is not None and beside is not None:
            alone.learn(event, beside)
            alone.forget_evictions()  # nothing of it is published
        return notices

    def _judge(self, event: Interaction, scored: ScoredEvent, beside: ScoredEvent | None) -> None:
        """Errors of all arms, and of what the guard followed: measured before it hears of them."""
        full, name = self.full, event.domain
        at = bucket(full.history.count(full.users.get(event.user), full.index[name]))
        judged: list[tuple[Task, str, dict[Arm, float]]] = [
            ("rating", RMSE, rating_losses(full, event, scored, beside)),
            ("ranking", NDCG_LOSS, ranking_losses(scored, beside)),
        ]
        for task, metric, losses in judged:
            if not losses:
                continue
            for arm in ("full", "target_only"):
                if arm in losses:
                    self.prequential.add(name, metric, arm, losses[arm])
            if name in self.alone:
                followed = self.guard.choice(name, at, task)
                self.prequential.add(name, metric, "followed", losses.get(followed, losses["full"]))
                self.guard.update(name, at, task, losses)

    def end_batch(self) -> None:
        self.full.end_batch()
        for learner in self.alone.values():
            learner.end_batch()

    def user_tables(self) -> dict[str, IdTable]:
        """The rows of users, by arm: `full`, and `alone:<domain>`."""
        alone = {f"alone:{name}": learner.users for name, learner in self.alone.items()}
        return {"full": self.full.users} | alone

    def rowless_users(self) -> set[str]:
        """Users in the state without a row in the full learner: lately evicted, or in a challenger. Seldom many."""
        challenged = set() if self.loop is None else self.loop.users()
        return {user for user in challenged.union(self.full.evicted_users) if user not in self.full.users}

    def end_future(self, now: float) -> bool:
        """As `Learner.end_future`, in all arms."""
        wrong = [learner.end_future(now) for learner in (self.full, *self.alone.values())]
        return any(wrong)

    def forget_user(self, user_id: str) -> int | None:
        """As `Learner.forget_user`, in all arms and challengers. Gives the row in the full learner."""
        for learner in self.alone.values():
            learner.forget_user(user_id)
        if self.loop is not None:
            self.loop.drop_user(user_id)
        return self.full.forget_user(user_id)

    def put_item(self, item: Item) -> bool:
        """As `Learner.put_item`, in all arms. True if one of them needs the words encoded."""
        needed = self.full.put_item(item)
        if (alone := self.alone.get(item.domain)) is not None:
            needed |= alone.put_item(item)
            alone.forget_evictions()
        return needed

    def put_text_vectors(self, vectors: dict[tuple[str, str], NDArray[np.float32]], idle: bool) -> None:
        self.full.put_text_vectors(vectors, idle)
        for name, learner in self.alone.items():
            learner.put_text_vectors({k: v for k, v in vectors.items() if k[0] == name}, idle)

    def serving(self, user: str | None, domain: str) -> Serving:
        """Who makes this user's list (None or unknown: a new one's): what the guard follows for users like them."""
        full, index = self.full, self.full.index[domain]
        row = None if user is None else full.users.get(user)
        arm = self.guard.choice(domain, bucket(full.history.count(row, index)), "ranking")
        if arm == "target_only":
            return Serving(arm, self.alone[domain], None)
        return Serving(arm, full, SINGLE.get(arm))

    def recommend(
        self, users: Sequence[str | None], domain: str, k: int, explain: int | None = None
    ) -> list[list[Recommendation]]:
        """As `Learner.recommend`, each user's list by the arm that the guard follows for them."""
        full, index = self.full, self.full.index[domain]
        serving = [self.serving(user, domain) for user in users]
        lists: list[list[Recommendation]] = [[] for _ in users]
        for one in dict.fromkeys(serving):
            places = [n for n, other in enumerate(serving) if other == one]
            some = one.learner.recommend([users[n] for n in places], domain, k, explain, one.only)
            for n, found in zip(places, some, strict=True):
                lists[n] = found if one.learner is full else self._renumbered(found, index)
        return lists

    def _renumbered(self, found: list[Recommendation], domain: int) -> list[Recommendation]:
        """The same items by the rows of the full learner's catalogue."""
        rows = [self.full.catalogues[domain].ids.get(one.item_id) for one in found]
        return [one._replace(row=row) for one, row in zip(found, rows, strict=True) if row is not None]

    def report(self, domain: str) -> dict[str, float]:
        """What is known of a domain, by the field names of `cc:domain:<domain>`."""
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
        return {
            "full": self.full.live(),
            "alone": {name: learner.live() for name, learner in self.alone.items()},
            "prequential": self.prequential.state(),
            "guard": self.guard.state(),
            "loop": None if self.loop is None else self.loop.live(),
        }

    def load(self, state: dict[str, Any]) -> list[str]:
        """For arms that have learned nothing yet. Gives what is not as it was, a sentence each; see `models/migration`.

        Raises ValueError if no domain is in both.
        """
        state, notes, self.moved = fitted(state, self.state(), self.full.domains)
        wanted = self._capacities()
        self.full.load(state["full"])
        notes += [
            f"{name} is {wanted[name]:,}, but the state has {rows:,} rows; they stay"
            for name, rows in self._capacities().items()
            if rows > wanted[name]
        ]
        for name, learner in self.alone.items():
            learner.load(state["alone"][name])
        self.prequential.load(state["prequential"])
        self.guard.load(state["guard"])
        if self.loop is not None and state["loop"] is not None:
            self.loop.load(state["loop"])
            notes += self.loop.drift.notes
        return notes

    def _capacities(self) -> dict[str, int]:
        """Of the full learner's tables, by the key that sets it."""
        full = self.full
        items = {
            f"learner.items_per_domain of {name}": full.catalogues[n].ids.capacity
            for name, n in full.index.items()
        }
        return {"learner.users": full.users.capacity} | items


SINGLE: dict[Arm, str] = {"text": "text", "popularity": "popularity_3d"}
"""The signal that ranks alone, by arm."""


def rating_losses(
    full: Learner, event: Interaction, scored: ScoredEvent, beside: ScoredEvent | None
) -> dict[Arm, float]:
    """Squared errors; empty for a click. `text` and `popularity` know the domain, and the item's text or record."""
    if event.value is None or scored.parts is None or scored.prediction is None:
        return {}
    parts, (low, high) = scored.parts, full.domains[full.index[event.domain]].rating_range
    predictions: dict[Arm, float] = {"full": scored.prediction}
    if beside is not None and beside.prediction is not None:
        predictions["target_only"] = beside.prediction
    base = parts.mean + parts.domain
    predictions["text"] = min(max(base + parts.text, low), high)
    predictions["popularity"] = min(max(base + parts.item + parts.text, low), high)
    return {arm: (event.value - predicted) ** 2 for arm, predicted in predictions.items()}


def ranking_losses(scored: ScoredEvent, beside: ScoredEvent | None) -> dict[Arm, float]:
    """1 - NDCG@10; empty where there is no rank. `text` and `popularity` order the full learner's candidates."""
    if scored.rank is None:
        return {}
    ranks: dict[Arm, int] = {"full": scored.rank}
    if beside is not None and beside.rank is not None:
        ranks["target_only"] = beside.rank
    ranked = scored.ranked
    for arm, name in SINGLE.items():
        if ranked.chosen is None or ranked.bent is None:
            ranks[arm] = scored.rank  # after all candidates, in any order of them
        else:
            signal = ranked.bent[:, NAMES.index(name)]
            ranks[arm] = int((signal >= signal[ranked.chosen]).sum()) - 1
    return {arm: 1.0 - ndcg_at_10(rank) for arm, rank in ranks.items()}
