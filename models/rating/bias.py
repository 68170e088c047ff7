"""Where, who and what: additive biases as one linear model, a River regressor whose steps go by what is certain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from numpy.typing import NDArray
from river.base import Regressor

from models.kernels import kernel
from models.rating.named_cells import VARIANCE, WEIGHT, Cells, NamedCells
from models.state.tracked_tables import Live

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

OTHER_STRENGTH = 1.0
"""The prior strength of a feature of no kind that is named."""

LEAST_LEFT = 1e-12
"""The share of a variance that a step leaves at least: 0 would mean a weight that was never used."""


def kind(name: str) -> str:
    """Return what stands before the colon: `user:42` is of kind `user`."""
    return name.partition(":")[0]


@kernel
def variance_of(cell: NDArray[Any], prior: float) -> float:
    """Return the variance of a weight; `prior` before its first use. cell: (2,), weight and variance."""
    return cell[VARIANCE] if cell[VARIANCE] > 0.0 else prior


@kernel
def learn_weight(
    cell: NDArray[Any], x: float, prior: float, drift: float, error: float, innovation: float
) -> None:
    """Take one step of a Kalman filter with a diagonal covariance, on one weight. The unit of variance is the noise.

        w += v x e / S,   v += drift - (v x)² / S

    Alone, from v = 1 / k, that is the step 1 / (n + k) after n uses; among others, each weight takes its share.
    cell: (2,), weight w and variance v, changed in place. error: e, observed less predicted. innovation: S, the
    variance of e. Source: Kalman (1960), "A new approach to linear filtering and prediction problems".
    """
    variance = cell[VARIANCE] if cell[VARIANCE] > 0.0 else prior
    gain = variance * x
    cell[WEIGHT] += gain * error / innovation
    cell[VARIANCE] = max(variance - gain * gain / innovation, LEAST_LEFT * variance) + drift


def inputs(
    domain: str, user_id: str, item_id: str, context: Iterable[str] = (), external: float = 0.0
) -> dict[str, float]:
    """Return the features of one rating: each fact twice, for all domains and for its own.

    What holds everywhere goes to the shared weight, the difference to the domain's. Source: Daumé (2007),
    "Frustratingly easy domain adaptation".
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


class BiasRegression(Regressor, Live):  # type: ignore[misc]
    """ŷ = Σ w_j x_j, where each weight is a Gaussian belief of its own: a Kalman filter with a diagonal covariance.

    A feature's name says its kind before a colon (`user:42`); prior strength and drift go by kind.

    Parameters
    ----------
    prior_strength
        By kind: how many events the belief "this weight is 0" is worth. `PRIOR_STRENGTH` by default.
    drift
        By kind: what a weight's variance gains at each use. `DRIFT` by default.
    storage
        Makes the table that holds weight and variance of each name. By default names take slots of their own;
        with `RowCells` they lie by the rows of users and items, where the compiled loop finds them.

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
        """Return ŷ; an unknown name counts 0. Changes nothing."""
        return sum(self.weight(name) * value for name, value in x.items())

    def learn_one(self, x: Mapping[Any, float], y: float) -> None:
        """Learn one observation that nothing but these weights explains."""
        self.learn(x, y - self.predict_one(x), 1.0 + self.predictive_variance(x))

    def predictive_variance(self, x: Mapping[Any, float]) -> float:
        """Return the variance of ŷ, in units of the noise."""
        return sum(self.variance(name) * value * value for name, value in x.items())

    def learn(self, x: Mapping[Any, float], error: float, innovation: float) -> None:
        """Learn from an error that other parts share. innovation: the variance of that error, ≥ 1 + that of ŷ."""
        for name, value in x.items():
            cell = self.cells.claim(name)
            learn_weight(cell, float(value), self._prior(name), self._drift(name), error, innovation)

    def weight(self, name: Any) -> float:
        """Return the weight; 0 for an unknown name."""
        cell = self.cells.find(name)
        return 0.0 if cell is None else float(cell[WEIGHT])

    def variance(self, name: Any) -> float:
        """Return the weight's variance, in units of the noise; that of the prior for an unknown name."""
        cell = self.cells.find(name)
        return self._prior(name) if cell is None else float(cell[VARIANCE])

    def _prior(self, name: Any) -> float:
        strength = PRIOR_STRENGTH if self.prior_strength is None else self.prior_strength
        return 1.0 / strength.get(kind(str(name)), OTHER_STRENGTH)

    def _drift(self, name: Any) -> float:
        return (DRIFT if self.drift is None else self.drift).get(kind(str(name)), 0.0)

    def terms(self, domain: str) -> dict[str, float]:
        """Return the weights that correct the whole domain: its own, and the network's share."""
        names = (f"domain:{domain}", f"external@domain:{domain}")
        return {name: self.weight(name) for name in names if self.cells.find(name) is not None}

    def absorb(self, other: BiasRegression) -> None:
        """Take another model's weights on top of its own, with the other's uncertainty about them.

        Names that are not known here (any more: their user or item was evicted) are left out.
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
        return self.cells.live()

    def load(self, state: dict[str, Any]) -> None:
        """Replace every weight. state: what `state` returned, or names with weights and variances."""
        self.cells.load(state)
