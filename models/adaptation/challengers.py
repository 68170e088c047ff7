"""Try actions as challengers beside the champion on the same events, until a test says which has the lower error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from models.adaptation.actions import Action
from models.assessment.paired_test import Outcome, PairedTest
from models.assessment.prequential import ndcg_losses
from models.learning.facts import Facts
from models.learning.learner import Learner
from models.rating.bias import PRIOR_STRENGTH, BiasRegression, inputs, kind
from models.rating.events import totals
from models.schema import Interaction
from models.sharing.shared_facts import Bias
from models.signals.registry import NAMES
from models.state.tracked_tables import Checkpointed

LIMIT = 2000
"""Events of the domain after which a challenger that has not won is dropped."""
FRESH = {
    "raise_rate": {"domain": 1.0},
    "reset_domain": {"domain": 1.0, "item": PRIOR_STRENGTH["item"], "user@domain": 4.0},
}
"""By action, the kinds of bias that are learned again, and the events that the prior of "no change" counts for."""
MOVING = {"domain": 1e-3}
"""Variance that a fresh weight gains at each use, because the champion changes in that time."""
FADING = ("popularity_1d", "popularity_3d", "popularity_30d", "popularity_ever")


SHARED = ("domain", "item")
"""Kinds of bias that all shards have."""


def take_up(learner: Learner, bias: Bias) -> None:
    """Take up what a challenger of another shard was promoted with; see `FreshBias`."""
    other = BiasRegression()
    for name, cell in bias.weights.items():
        if kind(name) in SHARED:
            other.cells.claim(name)[:] = cell
    learner.rating.bias.absorb(other)


def outcome(test: PairedTest) -> Outcome | None:
    """Return the outcome of a test; None while it is undecided."""
    verdict = test.verdict()
    if verdict == "open":
        return "undecided" if test.count >= LIMIT else None
    return "promoted" if verdict == "better" else "dropped"


class FreshBias(Checkpointed):
    """A fresh bias model of a domain, which learns the residuals of the champion.

    Promotion adds its weights to the champion's, with their uncertainty, so that those weights then learn fast.
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
        """Add the weights to the champion's."""
        self.learner.rating.bias.absorb(self.bias)

    def shared(self) -> Bias:
        """Return the weights that are no user's, for other shards: they take them up with `take_up`."""
        names = [str(name) for name in self.bias.cells.names() if kind(str(name)) in SHARED]
        weights = {name: (self.bias.weight(name), self.bias.variance(name)) for name in names}
        return Bias(self.learner.domains[self.domain].name, weights)

    def users(self) -> set[str]:
        """Return the ids that it holds, also of users without a row in the learner."""
        return self.bias.users()

    def drop_user(self, user_id: str) -> None:
        """Forget the user's weights."""
        self.bias.drop_user(user_id, [self.learner.domains[self.domain].name])

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {"test": msgspec.to_builtins(self.test), "bias": self.bias.live()}

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.test = msgspec.convert(state["test"], PairedTest)
        self.bias.load(state["bias"])


class ShorterMemory(Checkpointed):
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

    def step(self, events: Sequence[Interaction], facts: Facts, places: slice) -> None:
        """Judge and learn the domain's choices among some events of a micro-batch."""
        judged = facts.judged.get(self.domain)
        if judged is not None:
            champion, own = judged.choose_again(self.choice, self.learner.ranker.choices[self.domain], places)
            self.test.add_many(ndcg_losses(champion), ndcg_losses(own))

    def promote(self) -> None:
        """Replace the champion's weights by these."""
        self.learner.ranker.choices[self.domain].take_over(self.choice)

    def users(self) -> set[str]:
        """Return no ids, because it learns nothing about single users."""
        return set()

    def drop_user(self, user_id: str) -> None:
        """Do nothing: it learns nothing about single users."""

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {"test": msgspec.to_builtins(self.test), "choice": self.choice.live()}

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.test = msgspec.convert(state["test"], PairedTest)
        self.choice.load(state["choice"])


Challenger = FreshBias | ShorterMemory
CHALLENGERS: dict[Action, type[FreshBias] | type[ShorterMemory]] = {
    "raise_rate": FreshBias,
    "reset_domain": FreshBias,
    "shorten_half_lives": ShorterMemory,
}
"""The network's own search tries the other actions."""
