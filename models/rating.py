"""The rating a user will give: parts that add up, each a Gaussian belief, all learned from every error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.bias import Bias
from models.interaction import Domain
from models.item_prior import ItemPrior
from models.taste import Taste

NOISE = 0.7
WIDTH = 24


class RatingParts(msgspec.Struct, frozen=True, gc=False):
    """Contributions in rating units; their sum is the unclipped prediction."""

    mean: float = 0.0
    """The domain's running mean rating."""
    domain: float = 0.0
    """River's correction of that mean, and of it by context."""
    context: float = 0.0
    user: float = 0.0
    """How much higher than others this user rates, everywhere and in this domain."""
    mood: float = 0.0
    """The same for the present visit only."""
    item: float = 0.0
    """How much better than its text suggests this item is."""
    text: float = 0.0
    """What all users together think of such an item vector."""
    taste: float = 0.0
    """What this user thinks of it, beyond that."""
    external: float = 0.0
    """The network's residual, as far as it proved right."""
    proposal: float = 0.0
    """The network's residual as it came; kept for `learn`, no part of the sum."""

    @property
    def total(self) -> float:
        """The unclipped prediction."""
        return sum(self.named().values())

    def named(self) -> dict[str, float]:
        """The contributions by name."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "proposal"}


class RatingModel:
    """rating = mean_d + biases (River) + text prior + mood_u(t) + taste_u · x + noise.

    Each block keeps its own Gaussian belief; blocks are taken as independent (assumed-density filtering).
    An error e of variance S = noise + Σ spread is shared out: a block moves by its own share of S. A part
    that is sure of itself moves little, and a new user's error is not blamed on a well-known item.
    Source: Stern, Herbrich and Graepel (2009), "Matchbox". A domain's range is mapped to a width of 4.
    """

    def __init__(self, domains: Sequence[Domain], dim: int) -> None:
        self.domains = list(domains)
        self.unit = [(d.rating_range[1] - d.rating_range[0]) / 4.0 for d in domains]
        self.sums = np.zeros(len(domains), np.float64)
        self.counts = np.zeros(len(domains), np.int64)
        width = min(dim, WIDTH)
        self.bias = Bias()
        self.prior = ItemPrior(width)
        self.taste = Taste(width)

    def mean(self, domain: int) -> float:
        """The running mean rating; the middle of the range before the first."""
        if self.counts[domain] == 0:
            low, high = self.domains[domain].rating_range
            return (low + high) / 2.0
        return float(self.sums[domain] / self.counts[domain])

    def predict(  # noqa: PLR0917
        self,
        domain: int,
        user: int | None,
        item: int | None,  # noqa: ARG002  an item's bias is kept by id
        user_id: str,
        item_id: str,
        vector: NDArray[np.float32],
        context: tuple[str, ...],
        time: float,
        external: float = 0.0,
    ) -> RatingParts:
        """vector: (dim,), zeros if none; time: s since the epoch. Changes nothing, creates no row."""
        unit = self.unit[domain]
        bias = self.bias.contributions(
            self.bias.inputs(self.domains[domain].name, user_id, item_id, context, external / unit)
        )
        x = self.prior.scaled(vector)
        return RatingParts(
            mean=self.mean(domain),
            domain=unit * bias["domain"],
            context=unit * (bias["context"] + bias["context@domain"]),
            user=unit * (bias["user"] + bias["user@domain"]),
            mood=unit * self.taste.mood(user, time),
            item=unit * bias["item"],
            text=unit * float(self.prior.predict(x)),
            taste=unit * float(self.taste.affinity(user, x)),
            external=unit * (bias["external"] + bias["external@domain"]),
            proposal=external,
        )

    def learn(  # noqa: PLR0917
        self,
        domain: int,
        user: int,
        item: int,  # noqa: ARG002
        user_id: str,
        item_id: str,
        vector: NDArray[np.float32],
        context: tuple[str, ...],
        time: float,
        value: float,
        parts: RatingParts,
    ) -> None:
        """parts: what `predict` returned just before for this very event."""
        unit = self.unit[domain]
        error = (value - parts.total) / unit
        name = self.domains[domain].name
        inputs = self.bias.inputs(name, user_id, item_id, context, parts.proposal / unit)
        x = self.prior.scaled(vector)
        self.taste.advance(user, time)
        prior_gain, prior_spread = self.prior.spread(x)
        taste_gain, taste_spread = self.taste.spread(user, x)
        noise = NOISE + prior_spread + taste_spread
        innovation = noise + self.bias.spread(inputs)
        residual = error + sum(self.bias.contributions(inputs).values())
        self.bias.learn(inputs, residual, noise)
        self.prior.learn(prior_gain, error, innovation)
        self.taste.learn(user, taste_gain, error, innovation)
        self.prior.measure(vector)
        self.sums[domain] += value
        self.counts[domain] += 1

    def predict_many(  # noqa: PLR0917
        self,
        domain: int,
        user: int | None,
        user_id: str,
        rows: NDArray[np.integer[Any]],  # noqa: ARG002
        vectors: NDArray[np.float32],
        ids: list[str],
        time: float,
    ) -> NDArray[np.float64]:
        """Unclipped predictions (n,) without context for vectors (n, dim) and ids of one domain's items."""
        name, unit = self.domains[domain].name, self.unit[domain]
        base = self.predict(domain, user, None, user_id, "", np.zeros_like(vectors[:1])[0], (), time)
        x = self.prior.scaled(vectors)
        weight = self.bias.weight
        items = np.array([weight(f"item:{name}:{key}") for key in ids], np.float64)
        result: NDArray[np.float64] = (
            base.total - base.item + unit * (items + self.prior.predict(x) + self.taste.affinity(user, x))
        )
        return result

    def item_bias(self, domain: int, item: int | None, item_id: str, vector: NDArray[np.float32]) -> float:  # noqa: ARG002
        """How far from the mean this item lies for users at large: its text and its own record."""
        own = self.bias.weight(f"item:{self.domains[domain].name}:{item_id}")
        return self.unit[domain] * (own + float(self.prior.predict(self.prior.scaled(vector))))

    def domain_terms(self, domain: int) -> dict[str, float]:
        """The domain's running bias correction, by name, in rating units."""
        unit = self.unit[domain]
        return {name: unit * w for name, w in self.bias.terms(self.domains[domain].name).items()}

    def drop_user(self, row: int, user_id: str) -> None:
        self.bias.drop_user(user_id, [d.name for d in self.domains])
        self.taste.drop_user(row)

    def drop_item(self, domain: int, row: int, item_id: str) -> None:  # noqa: ARG002
        self.bias.drop_item(self.domains[domain].name, item_id)

    def state(self) -> dict[str, Any]:
        return {
            "sums": self.sums.copy(),
            "counts": self.counts.copy(),
            "bias": self.bias.state(),
            "prior": self.prior.state(),
            "taste": self.taste.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.sums, self.counts = state["sums"].copy(), state["counts"].copy()
        self.bias.load(state["bias"])
        self.prior.load(state["prior"])
        self.taste.load(state["taste"])
