"""Where, who and what: additive biases as one River linear model with counts-aware steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river.linear_model import LinearRegression
from river.optim.base import Optimizer
from river.utils import VectorDict

from models.state.dirty_keys import Touched
from models.state.tracked_tables import Live, Noted

WORTH = {
    "everywhere": 2.0,
    "domain": 20.0,
    "user": 40.0,
    "user@domain": 60.0,
    "item": 4.0,
    "context": 40.0,
    "context@domain": 40.0,
    "external": 3.0,
    "external@domain": 20.0,
}
"""How many events the belief "this weight is 0" is worth: the k of a step 1 / (n + k)."""

DRIFT = {
    "domain": 1e-5,
    "user": 2e-4,
    "item": 2e-4,
    "context": 1e-5,
    "context@domain": 1e-5,
    "external": 1e-5,
    "external@domain": 1e-5,
}
"""What a weight's variance gains at each use: its step settles near √drift, it follows the last 1 / √drift
uses. Kinds that are not named here stand still."""


def kind(name: str) -> str:
    """`user:42` is of kind `user`."""
    return name.partition(":")[0]


class CountsAware(Optimizer):  # type: ignore[misc]
    """A Kalman filter with a diagonal covariance, as a River optimizer. The unit of variance is the noise.

    For an error e of variance S, from v_j = 1 / k:   w_j += v_j x_j e / S,   v_j += drift - (v_j x_j)² / S.
    Alone, that is the step 1 / (n + k) after n uses; among others, each weight takes its share of the error.
    Source: Kalman (1960), "A new approach to linear filtering and prediction problems".
    """

    def __init__(self, worth: Mapping[str, float], drift: Mapping[str, float]) -> None:
        super().__init__(lr=1.0)
        self.worth, self.drift = worth, drift
        self.variances: dict[str, float] = {}
        self.written = Touched()
        """Names, with weight and variance."""
        self.inputs: dict[str, float] = {}
        self.innovation = 1.0

    def variance(self, name: str) -> float:
        known = self.variances.get(name)
        return 1.0 / self.worth[kind(name)] if known is None else known

    def expect(self, inputs: dict[str, float], innovation: float) -> None:
        """Call before `learn_one`: River hands an optimizer the gradient, not the inputs it came from."""
        self.inputs, self.innovation = inputs, innovation

    def _step_with_vector(self, w: VectorDict, g: VectorDict) -> VectorDict:
        now = {}
        for name, x in self.inputs.items():
            variance = self.variance(name)
            gain = variance / self.innovation
            weight = w[name] - gain * g[name] / 2  # River's squared loss has the gradient 2 (ŷ - y) x
            variance = variance * (1 - gain * x * x) + self.drift.get(kind(name), 0.0)
            w[name], self.variances[name] = now[name] = weight, variance
        self.written.update(now)
        return w


class Bias(Live):
    """ŷ = Σ w_j x_j over a shared copy and a domain copy of each fact (Daumé 2007, "Frustratingly easy
    domain adaptation"): what holds everywhere goes to the shared weight, the difference to the domain's.
    """

    def __init__(self, worth: Mapping[str, float] = WORTH, drift: Mapping[str, float] = DRIFT) -> None:
        """worth, drift: by kind of weight; a kind without a worth is not learned."""
        self.optimizer = CountsAware(worth, drift)
        self.regression = LinearRegression(optimizer=self.optimizer, intercept_lr=0.0)

    @staticmethod
    def inputs(
        domain: str, user_id: str, item_id: str, context: Iterable[str] = (), external: float = 0.0
    ) -> dict[str, float]:
        named = {
            "everywhere:": 1.0,
            f"domain:{domain}": 1.0,
            f"user:{user_id}": 1.0,
            f"user@domain:{domain}:{user_id}": 1.0,
            f"item:{domain}:{item_id}": 1.0,
        }
        for name in context:
            named[f"context:{name}"] = named[f"context@domain:{domain}:{name}"] = 1.0
        if external:
            named["external:"] = named[f"external@domain:{domain}"] = external
        return named

    def contributions(self, inputs: dict[str, float]) -> dict[str, float]:
        """The part of each kind; an unknown name counts 0. Changes nothing."""
        weights, parts = self.regression._weights, dict.fromkeys(WORTH, 0.0)
        for name, x in inputs.items():
            parts[kind(name)] += weights.get(name, 0.0) * x
        return parts

    def weight(self, name: str) -> float:
        return float(self.regression._weights.get(name, 0.0))

    def spread(self, inputs: dict[str, float]) -> float:
        """The variance of ŷ, in units of the noise."""
        variance = self.optimizer.variance
        return sum(variance(name) * x * x for name, x in inputs.items())

    def learn(self, inputs: dict[str, float], error: float, innovation: float) -> None:
        """error: observed less predicted, by all parts together; innovation: the variance S of that error."""
        self.optimizer.expect(inputs, innovation)
        self.regression.learn_one(inputs, self.regression.predict_one(inputs) + error)

    def terms(self, domain: str) -> dict[str, float]:
        """The weights that correct the whole domain: its own, and the network's share."""
        weights = self.regression._weights
        return {
            n: float(weights[n]) for n in (f"domain:{domain}", f"external@domain:{domain}") if n in weights
        }

    def absorb(self, other: Bias) -> None:
        """Takes another model's weights on top of its own, with the other's uncertainty about them.

        Names that are not known here (any more: their user or item was evicted) are left out.
        """
        for name, variance in other.optimizer.variances.items():
            if name in self.optimizer.variances:
                weight = self.weight(name) + other.weight(name)
                self.regression._weights[name], self.optimizer.variances[name] = weight, variance
                self.optimizer.written.add(name, (weight, variance))

    def users(self) -> set[str]:
        """The ids of all users with a weight."""
        names = self.optimizer.variances
        own = {name.partition(":")[2] for name in names if kind(name) == "user"}
        return own | {name.split(":", 2)[2] for name in names if kind(name) == "user@domain"}

    def drop_user(self, user_id: str, domains: Iterable[str]) -> None:
        self._forget(f"user:{user_id}")
        for domain in domains:
            self._forget(f"user@domain:{domain}:{user_id}")

    def drop_item(self, domain: str, item_id: str) -> None:
        self._forget(f"item:{domain}:{item_id}")

    def _forget(self, name: str) -> None:
        if self.optimizer.variances.pop(name, None) is not None:  # both know a name, or neither
            del self.regression._weights[name]
            self.optimizer.written.drop(name)

    def live(self) -> Noted:
        """Plain arrays, no pickle: it outlives River's releases."""
        variances = self.optimizer.variances
        return Noted(self.optimizer.written, lambda: list(variances), self._columns)

    def _columns(self, names: list[str]) -> dict[str, NDArray[np.float64]]:
        held = {"weights": self.regression._weights, "variances": self.optimizer.variances}
        return {
            key: np.fromiter(map(of.__getitem__, names), np.float64, len(names)) for key, of in held.items()
        }

    def load(self, state: dict[str, Any]) -> None:
        names = state["names"]
        self.__init__(self.optimizer.worth, self.optimizer.drift)  # type: ignore[misc]
        self.regression._weights = VectorDict(dict(zip(names, state["weights"].tolist(), strict=True)))
        self.optimizer.variances = dict(zip(names, state["variances"].tolist(), strict=True))
