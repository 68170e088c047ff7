"""Challengers: an action tried beside the champion on the same events, until a test says which errs less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from models.adaptation.actions import Action
from models.assessment.paired_test import Outcome, PairedTest
from models.assessment.prequential import ndcg_losses
from models.facts import Facts
from models.learner import Learner
from models.rating.bias import PRIOR_STRENGTH, BiasRegression, inputs, kind
from models.rating.events import totals
from models.schema import Interaction
from models.signals.registry import NAMES
from models.state.tracked_tables import Live

LIMIT = 2000
"""Events of the domain after which a challenger that has not won is dropped."""
FRESH = {
    "raise_rate": {"domain": 1.0},
    "reset_domain": {"domain": 1.0, "item": PRIOR_STRENGTH["item"], "user@domain": 4.0},
}
"""By action: the kinds of bias learned anew, and how many events the belief "no change" is worth."""
MOVING = {"domain": 1e-3}
"""What a fresh weight's variance gains at each use: the champion moves underneath."""
FADING = ("popularity_1d", "popularity_3d", "popularity_30d", "popularity_ever")


def outcome(test: PairedTest) -> Outcome | None:
    """None: go on."""
    verdict = test.verdict()
    if verdict == "open":
        return "undecided" if test.count >= LIMIT else None
    return "promoted" if verdict == "better" else "dropped"


class FreshBias(Live):
    """A fresh bias model of a domain on top of the champion: it learns what the champion leaves over.

    Promotion adds its weights to the champion's, with their uncertainty: those weights move fast from then on.
    """

    def __init__(self, action: Action, learner: Learner, domain: int) -> None:
        self.action, self.learner, self.domain = action, learner, domain
        self.test = PairedTest()
        self.bias = BiasRegression(FRESH[action], MOVING)

    def step(self, events: Sequence[Interaction], facts: Facts, places: slice) -> None:
        """Judge and learn the domain's ratings among some events of a micro-batch."""
        rated = (facts.done.domain == self.domain) & ~np.isnan(facts.value) & ~np.isnan(facts.prediction)
        for n in np.flatnonzero(rated[places]) + places.start:
            self._step(
                events[n], float(facts.value[n]), facts.prediction[n], totals(facts.parts[n : n + 1])[0]
            )

    def _step(self, event: Interaction, value: float, predicted: float, total: float) -> None:
        """Judge and learn one rating. predicted: by the champion; total: the same, not clipped."""
        unit = self.learner.rating.unit[self.domain]
        low, high = self.learner.domains[self.domain].rating_range
        learned = FRESH[self.action]
        names = inputs(event.domain, event.user, event.item).items()
        x = {name: weight for name, weight in names if kind(name) in learned}
        own = total + unit * self.bias.predict_one(x)
        errors = [(value - prediction) / unit for prediction in (predicted, min(max(own, low), high))]
        self.test.add(errors[0] ** 2, errors[1] ** 2)
        error = self.learner.rating.censored_residual(self.domain, value, own)
        self.bias.learn(x, error, 1.0 + self.bias.predictive_variance(x))

    def promote(self) -> None:
        self.learner.rating.bias.absorb(self.bias)

    def users(self) -> set[str]:
        """The ids it holds; of users without a row in the learner, too."""
        return self.bias.users()

    def drop_user(self, user_id: str) -> None:
        self.bias.drop_user(user_id, [self.learner.domains[self.domain].name])

    def live(self) -> dict[str, Any]:
        return {"test": msgspec.to_builtins(self.test), "bias": self.bias.live()}

    def load(self, state: dict[str, Any]) -> None:
        self.test = msgspec.convert(state["test"], PairedTest)
        self.bias.load(state["bias"])


class ShorterMemory(Live):
    """The domain's choice weights, where each popularity hands its weight to the next shorter half-life.

    They learn with the large steps of a start; each user's own slopes stay the champion's.
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

    def step(self, events: Sequence[Interaction], facts: Facts, places: slice) -> None:
        """Judge and learn the domain's choices among some events of a micro-batch."""
        judged = facts.judged.get(self.domain)
        if judged is not None:
            champion, own = judged.choose_again(self.choice, self.learner.ranker.choices[self.domain], places)
            self.test.add_many(ndcg_losses(champion), ndcg_losses(own))

    def promote(self) -> None:
        self.learner.ranker.choices[self.domain].take_over(self.choice)

    def users(self) -> set[str]:
        return set()

    def drop_user(self, user_id: str) -> None:
        """It learns nothing of single users."""

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
"""The other actions are tried by the network's own contest."""
