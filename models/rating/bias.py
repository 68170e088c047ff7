"""Learn additive biases of domains, users, items and contexts: one linear model, a River regressor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from numpy.typing import NDArray
from river.base import Regressor

from models.kernels import kernel
from models.rating.named_cells import VARIANCE, WEIGHT, Cells, NamedCells
from models.state.tracked_tables import Checkpointed

PRIOR_STRENGTH = {
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
"""The number of events that the belief "this weight is 0" counts as, by kind: the k of a step 1 / (n + k)."""

DRIFT = {
    "domain": 1e-5,
    "user": 2e-4,
    "item": 2e-4,
    "context": 1e-5,
    "context@domain": 1e-5,
    "external": 1e-5,
    "external@domain": 1e-5,
}
"""What is added to a weight's variance at each use, by kind. The step settles near √drift, so the weight follows its
last 1 / √drift uses. Kinds that are not here have no drift."""

OTHER_STRENGTH = 1.0
"""The prior strength of a feature of another kind."""

LEAST_LEFT = 1e-12
"""The least share of a variance that a step leaves, because 0 marks a weight that was never used."""


def kind(name: str) -> str:
    """Return the part before the colon: `user:42` is of kind `user`."""
    return name.partition(":")[0]


@kernel
def variance_of(cell: NDArray[Any], prior: float) -> float:
    """Return the variance of a weight, `prior` before its first use. cell: (2,) weight and variance."""
    return cell[VARIANCE] if cell[VARIANCE] > 0.0 else prior


@kernel
def learn_weight(
    cell: NDArray[Any], x: float, prior: float, drift: float, error: float, innovation: float
) -> None:
    """Take one step of a Kalman filter with a diagonal covariance, on one weight.

        w += v x e / S,   v += drift - (v x)² / S

    A weight alone, from v = 1 / k, takes the step 1 / (n + k) after n uses. Among others it takes its share. Variances
    are in units of the noise. cell: (2,) weight w and variance v, changed in place. error: e, observed minus predicted.
    innovation: S, the variance of e. Source: Kalman (1960), "A new approach to linear filtering and prediction
    problems".
    """
    variance = cell[VARIANCE] if cell[VARIANCE] > 0.0 else prior
    gain = variance * x
    cell[WEIGHT] += gain * error / innovation
    cell[VARIANCE] = max(variance - gain * gain / innovation, LEAST_LEFT * variance) + drift


def inputs(
    domain: str, user_id: str, item_id: str, context: Iterable[str] = (), external: float = 0.0
) -> dict[str, float]:
    """Return the features of one rating: each fact twice, once for all domains and once for its own.

    The shared weight learns what holds everywhere, the domain's weight learns the difference. context: feature names.
    external: the network's residual. Source: Daumé (2007), "Frustratingly easy domain adaptation".
    """
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


class BiasRegression(Regressor, Checkpointed):  # type: ignore[misc]
    """ŷ = Σ w_j x_j, where each weight is a Gaussian belief of its own: a Kalman filter with a diagonal covariance.

    A feature's name says its kind before a colon (`user:42`); prior strength and drift go by kind.

    Parameters
    ----------
    prior_strength
        By kind: the number of events that the belief "this weight is 0" counts as. `PRIOR_STRENGTH` by default.
    drift
        By kind: what is added to a weight's variance at each use. `DRIFT` by default.
    storage
        Makes the table of weights and variances. By default it is a `NamedCells`. A `RowCells` stores them by the rows
        of users and items, where the compiled loop finds them.

    Examples
    --------
    >>> from models.rating.bias import BiasRegression
    >>> model = BiasRegression({"user": 4.0}, {})
    >>> for y in (1.0, 2.0):
    ...     model.learn_one({"user:ann": 1.0}, y)
    >>> round(model.predict_one({"user:ann": 1.0}), 6)  # (1 + 2) / (2 + 4)
    0.5
    >>> model.predict_one({"user:bob": 1.0})
    0.0

    References
    ----------
    Kalman (1960), "A new approach to linear filtering and prediction problems".
    """

    def __init__(
        self,
        prior_strength: Mapping[str, float] | None = None,
        drift: Mapping[str, float] | None = None,
        storage: Callable[[], Cells] = NamedCells,
    ) -> None:
        self.prior_strength, self.drift, self.storage = prior_strength, drift, storage
        self.cells = storage()

    def predict_one(self, x: Mapping[Any, float]) -> float:
        """Return ŷ and change nothing. An unknown name counts 0."""
        return sum(self.weight(name) * value for name, value in x.items())

    def learn_one(self, x: Mapping[Any, float], y: float) -> None:
        """Learn one observation that only these weights explain."""
        self.learn(x, y - self.predict_one(x), 1.0 + self.predictive_variance(x))

    def predictive_variance(self, x: Mapping[Any, float]) -> float:
        """Return the variance of ŷ, in units of the noise."""
        return sum(self.variance(name) * value * value for name, value in x.items())

    def learn(self, x: Mapping[Any, float], error: float, innovation: float) -> None:
        """Learn from an error that other parts of a model share.

        innovation: the variance of the error in units of the noise, at least 1 + that of ŷ.
        """
        for name, value in x.items():
            cell = self.cells.claim(name)
            learn_weight(cell, float(value), self._prior(name), self._drift(name), error, innovation)

    def weight(self, name: Any) -> float:
        """Return the weight, 0 for an unknown name."""
        cell = self.cells.find(name)
        return 0.0 if cell is None else float(cell[WEIGHT])

    def variance(self, name: Any) -> float:
        """Return the weight's variance in units of the noise, that of the prior for an unknown name."""
        cell = self.cells.find(name)
        return self._prior(name) if cell is None else float(cell[VARIANCE])

    def _prior(self, name: Any) -> float:
        strength = PRIOR_STRENGTH if self.prior_strength is None else self.prior_strength
        return 1.0 / strength.get(kind(str(name)), OTHER_STRENGTH)

    def _drift(self, name: Any) -> float:
        return (DRIFT if self.drift is None else self.drift).get(kind(str(name)), 0.0)

    def terms(self, domain: str) -> dict[str, float]:
        """Return the weights that correct the whole domain: its own, and that of the network's residual."""
        names = (f"domain:{domain}", f"external@domain:{domain}")
        return {name: self.weight(name) for name in names if self.cells.find(name) is not None}

    def absorb(self, other: BiasRegression) -> None:
        """Add another model's weights to the weights here, and take its variances.

        Names that are not known here are left out, for example of a user who was evicted in that time.
        """
        for name in other.cells.names():
            cell = self.cells.find(name)
            if cell is not None:
                cell[:] = cell[WEIGHT] + other.weight(name), other.variance(name)
                self.cells.mark(name)

    def users(self) -> set[str]:
        """Return the ids of all users with a weight."""
        names = [str(name) for name in self.cells.names()]
        own = {name.partition(":")[2] for name in names if kind(name) == "user"}
        return own | {name.split(":", 2)[2] for name in names if kind(name) == "user@domain"}

    def drop_user(self, user_id: str, domains: Iterable[str]) -> None:
        """Forget the user's weights."""
        for name in (f"user:{user_id}", *(f"user@domain:{domain}:{user_id}" for domain in domains)):
            self.cells.forget(name)

    def drop_item(self, domain: str, item_id: str) -> None:
        """Forget the item's weight."""
        self.cells.forget(f"item:{domain}:{item_id}")

    def live(self) -> Any:
        """Return what `load` takes."""
        return self.cells.live()

    def load(self, state: dict[str, Any]) -> None:
        """Replace every weight. state: of `state`, or of an earlier version: names with weights and variances."""
        self.cells.load(state)
