"""The rating a user will give: parts that add up, each a Gaussian belief, all learned from every error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.rating.bias import DRIFT, Bias
from models.rating.item_factors import ItemRecord
from models.rating.text_prior import ItemPrior
from models.rating.user_taste import LEADING, Taste, features
from models.schema import Domain
from models.state.tracked_tables import Live

TASTE_WIDTH = 16
"""Leading components of the item vector that a user's taste is learned on; the text prior uses all of them."""


class ResolvedEvent(NamedTuple):
    """What a rating model sees of an event: its ids, their rows, the item's vector, and when it happened.

    domain: index. user, item: rows, None for an id that is not resident. vector: (dim,), zeros for an item without
    text. context: bounded feature names. time: seconds since the epoch.
    """

    domain: int
    user: int | None
    item: int | None
    user_id: str
    item_id: str
    vector: NDArray[np.float32]
    context: tuple[str, ...]
    time: float


class RatedBatch(NamedTuple):
    domain: NDArray[np.int64]
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    vectors: NDArray[np.float32]
    value: NDArray[np.float64]
    external: NDArray[np.float64]
    time: NDArray[np.float64]
    context: list[tuple[str, ...]]

    def alone(self, here: NDArray[np.int64]) -> RatedBatch:
        """Return some of the ratings as a model of one domain sees them, without the network's part."""
        return RatedBatch(
            np.zeros(len(here), np.int64), self.user[here], self.item[here], self.vectors[here], self.value[here],
            np.zeros(len(here)), self.time[here], [self.context[n] for n in here.tolist()],
        )


class RatingParts(msgspec.Struct, frozen=True, gc=False):
    """Contributions in rating units; their sum is the unclipped prediction."""

    mean: float = 0.0
    """What ratings are in all domains: the middle of the range, corrected by River's shared intercept."""
    domain: float = 0.0
    """The domain's running correction of that."""
    context: float = 0.0
    user: float = 0.0
    """How much higher than others this user rates, everywhere and in this domain."""
    mood: float = 0.0
    """The same for the present visit only."""
    item: float = 0.0
    """How much better than its text suggests this item is."""
    text: float = 0.0
    """What all users together think of such an item vector."""
    popularity: float = 0.0
    """How much more than others this user likes items as popular as this one."""
    crowd: float = 0.0
    """How much more than others this user agrees with `item` + `text`."""
    taste: float = 0.0
    """What this user thinks of such an item vector, beyond `text`."""
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


class RatingModel(Live):
    """rating = biases (River) + text prior + θ_u · [1, mood, popularity, crowd, item vector] + noise.

    Each block keeps its own Gaussian belief; blocks are taken as independent (assumed-density filtering).
    An error e of variance S = 1 + Σ spread (in units of the noise) is shared out: a block moves by its own
    share of S. A part that is sure of itself moves little, and a new user's error is not blamed on a
    well-known item. Only ratios of variances matter, so there is no noise to estimate.
    Source: Stern, Herbrich and Graepel (2009), "Matchbox". A domain's range is mapped to a width of 4.
    """

    def __init__(self, domains: Sequence[Domain], dim: int, forget: bool = True) -> None:
        """forget: biases follow a changing world (`bias.DRIFT`); without, they settle on all events alike."""
        self.domains = list(domains)
        self.unit = [(d.rating_range[1] - d.rating_range[0]) / 4.0 for d in domains]
        self.middle = [(d.rating_range[0] + d.rating_range[1]) / 2.0 for d in domains]
        self.sums = np.zeros(len(domains), np.float64)
        self.counts = np.zeros(len(domains), np.int64)
        self.width = min(dim, TASTE_WIDTH)
        self.bias = Bias(drift=DRIFT if forget else {})
        self.prior = ItemPrior(dim)
        self.records = [ItemRecord(self.width) for _ in domains]
        self.taste = Taste(self.width)

    def mean(self, domain: int) -> float:
        """The running mean rating; the middle of the range before the first."""
        if self.counts[domain] == 0:
            return self.middle[domain]
        return float(self.sums[domain] / self.counts[domain])

    def predict(self, event: ResolvedEvent, external: float = 0.0) -> RatingParts:
        """Predict a rating. external: the network's residual, in rating units. Changes nothing, creates no row."""
        unit, record = self.unit[event.domain], self.records[event.domain]
        bias = self.bias.contributions(self._inputs(event, external))
        x = self.prior.scaled(event.vector)
        text = float(self.prior.predict(x))
        theta = self.taste.theta(event.user, event.time)
        own, mood, popularity, crowd = theta[:LEADING].tolist()
        return RatingParts(
            mean=self.middle[event.domain] + unit * bias["everywhere"],
            domain=unit * bias["domain"],
            context=unit * (bias["context"] + bias["context@domain"]),
            user=unit * (own + bias["user"] + bias["user@domain"]),
            mood=unit * mood,
            item=unit * bias["item"],
            text=unit * text,
            popularity=unit * popularity * record.popularity(event.item),
            crowd=unit * crowd * (bias["item"] + text),
            taste=unit * float(theta[LEADING:] @ (x[: self.width] + record.delta(event.item))),
            external=unit * (bias["external"] + bias["external@domain"]),
            proposal=external,
        )

    def _shim(self, b, n):
        row = lambda x: None if x < 0 else int(x)
        return ResolvedEvent(int(b.domain[n]), row(b.user[n]), row(b.item[n]), f"{b.user[n]}", f"{b.item[n]}", b.vectors[n], b.context[n], float(b.time[n]))

    def predict_batch(self, b):
        import msgspec as m
        out = np.full((len(b.value), 12), np.nan)
        for n in range(len(b.value)):
            if not np.isnan(b.value[n]):
                out[n] = m.structs.astuple(self.predict(self._shim(b, n), float(b.external[n])))
        return out

    def learn_batch(self, b):
        import msgspec as m
        out = np.full((len(b.value), 12), np.nan)
        for n in range(len(b.value)):
            if not np.isnan(b.value[n]):
                parts = self.predict(self._shim(b, n), float(b.external[n]))
                out[n] = m.structs.astuple(parts)
                self.learn(self._shim(b, n), float(b.value[n]), parts)
        return out

    def learn(self, event: ResolvedEvent, value: float, parts: RatingParts) -> None:
        """Learn one rating. Both rows must be there. parts: what `predict` returned just before for this event."""
        domain, user, item = event.domain, event.user, event.item
        assert user is not None and item is not None  # noqa: PT018  one condition
        unit, record = self.unit[domain], self.records[domain]
        error = self.surprise(domain, value, parts.total)
        # 1. What each block saw.
        x = self.prior.scaled(event.vector)
        inputs = self._inputs(event, parts.proposal)
        crowd, head = (parts.item + parts.text) / unit, x[: self.width] + record.delta(item)
        phi = features(record.popularity(item), crowd, head)
        self.taste.advance(user, event.time)
        record.claim(item)
        # 2. How unsure each block was.
        prior_gain, prior_spread = self.prior.spread(x)
        taste_gain, taste_spread = self.taste.spread(user, phi)
        shift_gain, shift_spread = record.spread(
            item, self.taste.theta(user, event.time)[LEADING:], self.taste.variances(user)
        )
        innovation = 1.0 + self.bias.spread(inputs) + prior_spread + taste_spread + shift_spread
        # 3. Each takes its share of the error.
        self.bias.learn(inputs, error, innovation)
        self.prior.learn(prior_gain, error, innovation)
        self.taste.learn(user, taste_gain, error, innovation)
        record.learn(item, shift_gain, error, innovation)
        # 4. Statistics.
        self.prior.measure(event.vector)
        self.sums[domain] += value
        self.counts[domain] += 1

    def _inputs(self, event: ResolvedEvent, external: float) -> dict[str, float]:
        name = self.domains[event.domain].name
        scaled = external / self.unit[event.domain]
        return self.bias.inputs(name, event.user_id, event.item_id, event.context, scaled)

    def surprise(self, domain: int, value: float, total: float) -> float:
        """Observed less predicted, in units of a quarter of the range.

        0 where both lie at the same end of the scale or beyond: of a censored value only the side is known (Tobin
        1958, "Estimation of relationships for limited dependent variables").
        """
        low, high = self.domains[domain].rating_range
        censored = (value >= high and total > high) or (value <= low and total < low)
        return 0.0 if censored else (value - total) / self.unit[domain]

    def item_bias(self, domain: int, item: int | None, item_id: str, vector: NDArray[np.float32]) -> float:
        """How far from the mean this item lies for users at large: its text and its own record."""
        own = self.bias.weight(f"item:{self.domains[domain].name}:{item_id}")
        return self.unit[domain] * (own + float(self.prior.predict(self.prior.scaled(vector))))

    def domain_terms(self, domain: int) -> dict[str, float]:
        """The domain's running bias correction, by name, in rating units (a share for `external`)."""
        unit = self.unit[domain]
        terms = self.bias.terms(self.domains[domain].name)
        return {name: w if name.startswith("external") else unit * w for name, w in terms.items()}

    def drop_user(self, row: int, user_id: str) -> None:
        self.bias.drop_user(user_id, [d.name for d in self.domains])
        self.taste.drop_user(row)

    def drop_item(self, domain: int, row: int, item_id: str) -> None:
        self.bias.drop_item(self.domains[domain].name, item_id)
        self.records[domain].drop_item(row)

    def live(self) -> dict[str, Any]:
        return {
            "sums": self.sums,
            "counts": self.counts,
            "bias": self.bias.live(),
            "prior": self.prior.state(),
            "taste": self.taste.live(),
            "records": [record.live() for record in self.records],
        }

    def load(self, state: dict[str, Any]) -> None:
        self.sums, self.counts = state["sums"].copy(), state["counts"].copy()
        self.bias.load(state["bias"])
        self.prior.load(state["prior"])
        self.taste.load(state["taste"])
        for record, part in zip(self.records, state["records"], strict=True):
            record.load(part)
