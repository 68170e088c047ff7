"""Try actions as challengers beside the champion on the same events, until a test says which has the lower error."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from models.adaptation.actions import Action
from models.assessment.paired_test import Outcome, PairedTest
from models.assessment.prequential import ndcg_at_10
from models.facts import ScoredEvent
from models.learner import Learner
from models.ranking.conditional_logit import Signals, gradient, rank_of, score, step, weights_of
from models.rating.bias import PRIOR_STRENGTH, BiasRegression, inputs, kind
from models.schema import Interaction
from models.signals.registry import ALL, KNOTS, NAMES
from models.state.tracked_tables import Live

NO_SLOPES = np.zeros((2, 0), np.float32)
LIMIT = 2000
"""Events of the domain after which a challenger that has not won is dropped."""
FRESH = {
    "raise_rate": {"domain": 1.0},
    "reset_domain": {"domain": 1.0, "item": PRIOR_STRENGTH["item"], "user@domain": 4.0},
}
"""By action, the kinds of bias that are learned anew, and the events that the prior of "no change" counts for."""
MOVING = {"domain": 1e-3}
"""Variance that a fresh weight gains at each use, because the champion changes meanwhile."""
FADING = ("popularity_1d", "popularity_3d", "popularity_30d", "popularity_ever")


def outcome(test: PairedTest) -> Outcome | None:
    """Return the outcome of a test; None while it is undecided."""
    verdict = test.verdict()
    if verdict == "open":
        return "undecided" if test.count >= LIMIT else None
    return "promoted" if verdict == "better" else "dropped"


class FreshBias(Live):
    """A fresh bias model of a domain, which learns the residuals of the champion.

    Promotion adds its weights to the champion's, with their uncertainty, so that those weights then learn fast.
    """

    def __init__(self, action: Action, learner: Learner, domain: int) -> None:
        self.action, self.learner, self.domain = action, learner, domain
        self.test = PairedTest()
        self.bias = BiasRegression(FRESH[action], MOVING)

    def step(self, event: Interaction, scored: ScoredEvent) -> None:
        """Score and learn an event of the domain, before the champion learns it."""
        parts, predicted_now = scored.parts, scored.prediction
        if event.value is None or parts is None or predicted_now is None:
            return
        unit = self.learner.rating.unit[self.domain]
        low, high = self.learner.domains[self.domain].rating_range
        learned = FRESH[self.action]
        facts = inputs(event.domain, event.user, event.item).items()
        x = {name: value for name, value in facts if kind(name) in learned}
        total = parts.total + unit * self.bias.predict_one(x)
        prediction = min(max(total, low), high)
        champion, challenger = (
            ((event.value - predicted) / unit) ** 2 for predicted in (predicted_now, prediction)
        )
        self.test.add(champion, challenger)
        error = self.learner.rating.censored_residual(self.domain, event.value, total)
        self.bias.learn(x, error, 1.0 + self.bias.predictive_variance(x))

    def promote(self) -> None:
        self.learner.rating.bias.absorb(self.bias)

    def users(self) -> set[str]:
        """Return the ids that it holds, also of users without a row in the learner."""
        return self.bias.users()

    def drop_user(self, user_id: str) -> None:
        self.bias.drop_user(user_id, [self.learner.domains[self.domain].name])

    def live(self) -> dict[str, Any]:
        return {"test": msgspec.to_builtins(self.test), "bias": self.bias.live()}

    def load(self, state: dict[str, Any]) -> None:
        self.test = msgspec.convert(state["test"], PairedTest)
        self.bias.load(state["bias"])


class ShorterMemory(Live):
    """The domain's choice weights, with the weight of each popularity moved to the next shorter half-life.

    They learn with the large steps of a start. Each user's own slopes stay those of the champion.
    """

    action: Action = "shorten_half_lives"

    def __init__(self, action: Action, learner: Learner, domain: int) -> None:
        self.learner, self.domain = learner, domain
        self.test = PairedTest()
        self.choice = learner.ranker.choices[domain].fresh()
        weights = self.choice.weights.reshape(len(self.choice.weights), -1, len(NAMES))
        places = [NAMES.index(name) for name in FADING]
        held = weights[:, :, places]
        weights[:, :, places] = np.roll(held, -1, 2)
        weights[:, :, places[0]] += held[:, :, 0]
        weights[:, :, places[-1]] = 0.0

    def step(self, event: Interaction, scored: ScoredEvent) -> None:
        """Score and learn an event of the domain, before the champion learns it."""
        choices = scored.choices
        if choices is None or choices.chosen < 0:
            return
        champion, count = self.learner.ranker.choices[self.domain], len(choices.rows)
        known = 0 <= choices.user < len(champion.users)
        slopes = champion.users[choices.user, 0] if known else np.zeros(champion.signals, np.float32)
        w, scores = np.empty(champion.weights.shape[1], np.float32), np.empty(count, np.float32)
        weights_of(self.choice.weights, slopes, choices.bucket, choices.gap, w)
        signals = Signals(choices.values, ALL, KNOTS, count)
        score(signals, w, scores)
        rank = rank_of(scores, count, choices.chosen)
        self.test.add(1.0 - ndcg_at_10(choices.rank), 1.0 - ndcg_at_10(rank))
        gradient(signals, choices.chosen, scores, w)
        step(self.choice.weights, self.choice.squares, NO_SLOPES, choices.bucket, choices.gap, w)

    def promote(self) -> None:
        self.learner.ranker.choices[self.domain].take_over(self.choice)

    def users(self) -> set[str]:
        return set()

    def drop_user(self, user_id: str) -> None:
        """Do nothing: it learns nothing about single users."""

    def live(self) -> dict[str, Any]:
        return {"test": msgspec.to_builtins(self.test), "choice": self.choice.live()}

    def load(self, state: dict[str, Any]) -> None:
        self.test = msgspec.convert(state["test"], PairedTest)
        self.choice.load(state["choice"])


Challenger = FreshBias | ShorterMemory
CHALLENGERS: dict[Action, type[FreshBias] | type[ShorterMemory]] = {
    "raise_rate": FreshBias,
    "reset_domain": FreshBias,
    "shorten_half_lives": ShorterMemory,
}
"""The network's own search tries the other actions."""
