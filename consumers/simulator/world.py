"""Simulate a world with a known truth: people with tastes, domains with items, drift at a known point.

A rating is `clip(domain mean + drift + user bias + item bias + taste · item + noise)`, rounded to the domain's
grid. Tastes and user biases belong to the person, so events of a user in one domain help in the next. Item
factors come from two topics each, and so do the words of the title: text predicts taste everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.simulator.world_settings import DomainSpec, Drift, WorldSettings, validate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK_EVENTS = 1024
"""Events drawn at a time, so that memory does not depend on their number."""

CANDIDATES = 12
"""Items among which a user chooses. They are drawn by popularity; taste chooses."""

SEEN_LIMIT_BITS = 2**31
"""Most pairs of user and item in a domain for which the world remembers who had what (256 MiB)."""


class Draw(NamedTuple):
    """Events as columns, in order: the domain's number, rows of user and item, rating (NaN = click)."""

    domain: Ints
    user: Ints
    item: Ints
    rating: Floats


class _Domain:
    """The fixed truth of one domain: its users, and the properties of its items."""

    def __init__(
        self, spec: DomainSpec, people: Ints, shuffles: int, world: WorldSettings, rng: np.random.Generator
    ) -> None:
        self.spec = spec
        self.people = people  # [users] → person
        n = spec.items
        self.bias: Floats = rng.normal(0.0, world.item_bias_sd, n)
        # Two themes on different axes, because on one axis they might cancel out. A theme is an axis and a direction.
        main = rng.integers(world.dim, size=n)
        other = (main + rng.integers(1, world.dim, size=n)) % world.dim
        axes = np.stack([main, other], axis=1)
        down = rng.integers(2, size=(n, 2))
        self.topics: Ints = 2 * axes + down  # [items, 2]
        self.factors: Floats = rng.normal(0.0, 0.15, (n, world.dim))
        weight = rng.uniform([0.8, 0.3], [1.2, 0.7], (n, 2)) * (1 - 2 * down)
        self.factors[np.arange(n)[:, None], axes] += weight
        self.active: Floats = np.cumsum(_zipf(len(people), world.activity)[rng.permutation(len(people))])
        # Popularity is fixed by rank; which item holds a rank changes with each drift.
        self.popular: Floats = np.cumsum(_zipf(n, world.zipf))
        self.ranks: list[Ints] = [rng.permutation(n) for _ in range(1 + shuffles)]
        self.half_life = (spec.half_life_days or 0.0) * world.events_per_day
        """Events of all domains in the time in which interest in an item halves; 0 for never."""
        self.born = self._births(world) if self.half_life else None
        """(items,): the event index at which each item appears, below 0 for those that were there. None: all were."""

    def _births(self, world: WorldSettings) -> Floats:
        """Spread the items evenly over the stream and the two half-lives before it."""
        rng = np.random.default_rng([world.seed, 4, len(self.people), self.spec.items])
        return np.asarray(
            rng.permutation(np.linspace(-2 * self.half_life, 0.98 * world.events, self.spec.items))
        )

    def interest(self, index: int) -> Floats:
        """Return the weight with which each item is offered at event `index`, (items,): `zipf · 2^(-age / half-life)`.

        Only for a domain in which interest fades. An item has the weight 0 before it appears.
        """
        assert self.born is not None
        age = index - self.born
        weight = np.empty(len(age))
        weight[self.ranks[0]] = np.diff(self.popular, prepend=0.0)
        return np.where(age >= 0, weight * 0.5 ** (np.maximum(age, 0.0) / self.half_life), 0.0)


class _Seen:
    """Which user had which item in one domain: one bit a pair. It remembers nothing if that would be too large."""

    def __init__(self, users: int, items: int) -> None:
        fits = users * items <= SEEN_LIMIT_BITS
        self.bits = np.zeros((users, -(-items // 8)), np.uint8) if fits else None

    def had(self, user: Ints, item: Ints) -> NDArray[np.bool_]:
        """Return whether each user had each of their candidates: [n], [n, C] → [n, C]."""
        if self.bits is None:
            return np.zeros(item.shape, np.bool_)
        return np.asarray(self.bits[user[:, None], item >> 3] >> (item & 7).astype(np.uint8) & 1, np.bool_)

    def mark(self, user: Ints, item: Ints) -> None:
        if self.bits is not None:
            np.bitwise_or.at(self.bits, (user, item >> 3), (1 << (item & 7)).astype(np.uint8))

    def choose(self, user: Ints, offered: Ints, score: Floats) -> Ints:
        """Return the best of what is offered to each user [n]; an item the user had only if nothing else is offered."""
        item = np.zeros(len(user), np.int64)
        left = np.arange(len(user))
        for last in (False, False, False, True):  # a user may occur several times in a chunk
            value = np.where(self.had(user[left], offered[left]), score[left] - 1e9, score[left])
            best = offered[left, value.argmax(axis=1)]
            _, first = np.unique((user[left] << 32) + best, return_index=True)
            taken = np.arange(len(left)) if last else first
            item[left[taken]] = best[taken]
            self.mark(user[left[taken]], best[taken])
            left = np.delete(left, taken)
            if not len(left):
                break
        return item


def _zipf(n: int, exponent: float) -> Floats:
    weight = np.arange(1, n + 1, dtype=np.float64) ** -exponent
    return np.asarray(weight / weight.sum())


def _pick(rng: np.random.Generator, cumulative: Floats, shape: tuple[int, ...]) -> Ints:
    """Draw rows in proportion to the steps of `cumulative`."""
    found = np.searchsorted(cumulative, rng.random(shape) * cumulative[-1], side="right")
    return np.asarray(np.minimum(found, len(cumulative) - 1), np.int64)


_normal_cdf = np.vectorize(NormalDist().cdf, otypes=[np.float64])


class World:
    """The truth of `settings`, and events drawn from it. `draws()` returns the same events at each call.

    Users and items are rows of their domain; an index counts the events of all domains. `index` may be one number or
    an array [n].
    """

    def __init__(self, settings: WorldSettings) -> None:
        validate(settings)
        self.settings = settings
        rng = np.random.default_rng([settings.seed, 0])
        common = [round(spec.users * settings.overlap) for spec in settings.domains]
        people = max(common)
        members: list[Ints] = []
        for spec, count in zip(settings.domains, common, strict=True):
            own = spec.users - count
            members.append(np.concatenate([np.arange(count), np.arange(people, people + own)]))
            people += own
        self.user_bias: Floats = rng.normal(0.0, settings.user_bias_sd, people)
        # Item factors have a length of about 1.2, so taste · item has the wanted deviation.
        self.taste: Floats = rng.normal(0.0, settings.taste_sd / 1.2, (people, settings.dim))
        self.number = {spec.name: i for i, spec in enumerate(settings.domains)}
        self.domains = [
            _Domain(spec, who, len(self.drifts(spec.name)), settings, rng)
            for spec, who in zip(settings.domains, members, strict=True)
        ]

    def drifts(self, domain: str) -> list[Drift]:
        return [d for d in self.settings.drift if d.domain == domain]

    def index_of(self, at: float) -> int:
        """Return the event index that an `at` or `span` means."""
        return int(at * self.settings.events) if at < 1 else int(at)

    def strength(self, drift: Drift, index: Ints | int) -> Floats:
        """Return how much of `drift` holds at event `index`: 0 before it, 1 in full force."""
        since, span = np.asarray(index) - self.index_of(drift.at), max(1, self.index_of(drift.span))
        if drift.kind == "gradual":
            return np.clip(since / span, 0.0, 1.0)
        on = since // span % 2 == 0 if drift.kind == "recurring" else True
        return np.where((since >= 0) & on, 1.0, 0.0)

    def domain_mean(self, domain: str, index: Ints | int) -> Floats:
        """Return the domain's bias at event `index`, drift included."""
        mean = np.asarray(self.domains[self.number[domain]].spec.mean, np.float64)
        return sum((self.strength(d, index) * d.bias for d in self.drifts(domain)), start=mean)

    def affinity(self, domain: str, user: Ints, item: Ints, index: Ints | int) -> Floats:
        """Return taste · item at event `index`: users [n], items [n] → [n], or candidates [n, C] → [n, C]."""
        at = self.domains[self.number[domain]]
        taste = self._turned(self.taste[at.people[user]], domain, index)  # [n, dim]
        if item.ndim == 1:
            return np.asarray(np.einsum("nd,nd->n", taste, at.factors[item]))
        return np.asarray(np.einsum("nd,ncd->nc", taste, at.factors[item]))

    def honest(self, domain: str, user: Ints, item: Ints, index: Ints | int) -> Floats:
        """Return the expected ratings [n] at event `index`, without noise and not clipped."""
        at = self.domains[self.number[domain]]
        base = self.domain_mean(domain, index) + self.user_bias[at.people[user]] + at.bias[item]
        return base + self.affinity(domain, user, item, index)

    def given(self, domain: str, user: Ints, item: Ints, index: Ints | int) -> Floats:
        """Return the expected ratings [n] as honest users give them: with noise, cut at both ends of the scale.

        This is the mean of a normal variable clipped to [a, b]; Tobin (1958). The grid of ratings is left out.
        """
        low, high = self.domains[self.number[domain]].spec.rating_range
        mean, sd = self.honest(domain, user, item, index), max(self.settings.noise_sd, 1e-9)
        a, b = (low - mean) / sd, (high - mean) / sd
        below, above = _normal_cdf(a), _normal_cdf(-b)
        density = (np.exp(-(a**2) / 2) - np.exp(-(b**2) / 2)) / np.sqrt(2 * np.pi)
        return np.asarray(low * below + high * above + mean * (1 - below - above) + sd * density)

    def draws(self) -> Iterator[Draw]:
        """Yield all events, in chunks of at most `CHUNK_EVENTS`."""
        rng = np.random.default_rng([self.settings.seed, 1])
        seen = [_Seen(len(d.people), d.spec.items) for d in self.domains]
        share = np.cumsum([spec.share for spec in self.settings.domains])
        for start in range(0, self.settings.events, CHUNK_EVENTS):
            count = min(CHUNK_EVENTS, self.settings.events - start)
            which = _pick(rng, share, (count,))
            user, item, rating = np.zeros(count, np.int64), np.zeros(count, np.int64), np.full(count, np.nan)
            for number, domain in enumerate(self.domains):
                here = np.flatnonzero(which == number)
                if len(here):
                    user[here], item[here], rating[here] = self._chosen(
                        rng, domain, seen[number], here + start
                    )
            yield Draw(which, user, item, rating)

    def _chosen(
        self, rng: np.random.Generator, domain: _Domain, seen: _Seen, index: Ints
    ) -> tuple[Ints, Ints, Floats]:
        spec, name, n = domain.spec, domain.spec.name, len(index)
        user = _pick(rng, domain.active, (n,))
        rank = np.zeros((n, CANDIDATES), np.int64)
        if domain.born is None:
            rank = _pick(rng, domain.popular, (n, CANDIDATES))
            offered = domain.ranks[0][rank]
        else:
            shape = (CANDIDATES,)
            offered = np.array([_pick(rng, np.cumsum(domain.interest(at)), shape) for at in index.tolist()])
        for drift, ranks in zip(self.drifts(name), domain.ranks[1:], strict=True):
            changed = rng.random(rank.shape) < self.strength(drift, index)[:, None]
            offered = np.where(changed & drift.reshuffle, ranks[rank], offered)
        lies = np.zeros(n, np.bool_)
        for poison in self.settings.poison:
            if poison.domain == name:
                lies |= (index >= self.index_of(poison.at)) & (rng.random(n) < poison.share)
        likes = self.affinity(name, user, offered, index) * (self.settings.choice / self.settings.taste_sd)
        score = np.where(lies[:, None], -likes, likes) + rng.gumbel(size=likes.shape)
        item = seen.choose(user, offered, score)
        low, high = spec.rating_range
        rating = self.honest(name, user, item, index) + rng.normal(0.0, self.settings.noise_sd, n)
        rating = np.where(lies, low + high - rating, rating)
        if spec.step:
            rating = np.round(rating / spec.step) * spec.step
        clicks = {"rating": 0.0, "click": 1.0, "both": spec.click_share}[spec.kind]
        return user, item, np.where(rng.random(n) < clicks, np.nan, np.clip(rating, low, high))

    def _turned(self, taste: Floats, domain: str, index: Ints | int) -> Floats:
        turning = [d for d in self.drifts(domain) if d.rotate]
        if not turning:
            return taste
        angle = np.deg2rad(sum((self.strength(d, index) * d.rotate for d in turning), start=np.zeros(())))
        cos, sin = np.cos(angle)[..., None], np.sin(angle)[..., None]
        pairs = taste.shape[1] // 2 * 2
        even, odd = taste[:, 0:pairs:2], taste[:, 1:pairs:2]
        turned = taste.copy()
        turned[:, 0:pairs:2] = cos * even - sin * odd
        turned[:, 1:pairs:2] = sin * even + cos * odd
        return turned
