"""Simulate users who choose only among what they are shown: with position bias, fatigue and new items.

At the time t, user u looks at rank k of a list of the domain d with the probability `θ_k = 1 / k^0.7`, and clicks on
the item i there with the probability `θ_k · σ(base + taste(u, i) + appeal(i, t) - fatigue(u, i, t))`. Taste is over
topics, and is the same in all domains. The words of an item tell its two topics. An item that the user has clicked on
is never clicked again. This is the position-based model of Richardson et al. (2007), "Predicting clicks".
"""

from __future__ import annotations

from copy import copy, deepcopy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.simulator.closed_loop.fatigue import Fatigue
from consumers.simulator.closed_loop.settings import DOMAINS, LIST, SHARES, LoopSettings, WorldName, check
from consumers.simulator.vocabulary import title_and_text

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
AXES = 8
"""Pairs of opposite topics that the vocabulary has words for."""


class _Items(NamedTuple):
    """The items of one domain. born: (n,) when each arrives, below 0 for those that are there from the beginning.

    topics: (n, 2). appeal: (n,) log odds at its arrival. words: title and text of each.
    """

    born: Ints
    topics: Ints
    appeal: Floats
    words: list[tuple[str, str]]


class Visits(NamedTuple):
    """Who looks at which domain, by time: (end,) each. dice: (end, LIST) uniform numbers that decide the clicks.

    Every policy meets the same visits and dice, so that their clicks differ by their lists alone.
    """

    user: Ints
    domain: Ints
    dice: NDArray[np.float32]


class World:
    """The truth of a closed-loop world, and what its users remember of what they were shown.

    Users and items are rows, domains are numbers, and a time is a number of impressions.

    >>> world = World.make("mute", seed=1)
    >>> [int(world.arrived(domain, 0).sum()) for domain in range(3)]  # half of the items arrive later
    [500, 500, 500]
    >>> print(world.examination[:3].round(3))
    [1.    0.616 0.463]
    >>> best = np.argsort(-world.appeal(0, 0)[:500])[:10]
    >>> before = world.click_probabilities(7, 0, best, 0)
    >>> clicked = world.show(7, 0, best, 0)
    >>> after = world.click_probabilities(7, 0, best, 1)
    >>> bool((after[~clicked] < before[~clicked]).all()), bool((after[clicked] == 0).all())
    (True, True)
    """

    def __init__(self, settings: LoopSettings) -> None:
        """Make users and items. Raises ValueError for settings that no world can have."""
        check(settings)
        self.settings = settings
        self.domains = DOMAINS
        self.examination: Floats = np.arange(1.0, LIST + 1) ** -settings.steepness
        """(LIST,): how probably a user looks at each rank."""
        rng = np.random.default_rng([settings.seed, 10])
        self.activity: Floats = np.exp(settings.activity_sd * rng.standard_normal(settings.users))
        """(users,): how often each user comes, relative to others."""
        self.taste: Floats = rng.standard_normal((settings.users, 2 * AXES))
        """(users, topics)"""
        quality = rng.standard_normal(2 * AXES)
        self.items = [_items(settings, number, quality) for number in range(len(DOMAINS))]
        self.visits = _visits(settings, self.activity)
        shape = settings.users, settings.items
        self.fatigue = [Fatigue(*shape, settings.fatigue, settings.fatigue_half_life) for _ in DOMAINS]
        self.had = [np.zeros(shape, np.bool_) for _ in DOMAINS]
        """(users, items) by domain: which items a user has clicked on."""

    @classmethod
    def make(cls, name: WorldName, seed: int = 0, **changed: Any) -> World:
        """Return a new world. changed: other fields of `LoopSettings`. Raises ValueError."""
        return cls(LoopSettings(name, seed, **changed))

    def copy(self) -> World:
        """Return the same world with users who remember the same, and do so apart from now on."""
        other = copy(self)
        other.fatigue, other.had = deepcopy(self.fatigue), deepcopy(self.had)
        return other

    # The truth

    def arrived(self, domain: int, time: int) -> NDArray[np.bool_]:
        """Return which items are there at a time, (items,)."""
        return np.asarray(self.items[domain].born <= time)

    def appeal(self, domain: int, time: int) -> Floats:
        """Return what each item adds for everybody at a time, (items,), in log odds. In *news* it falls with age."""
        items = self.items[domain]
        if not self.settings.ages:
            return items.appeal
        ages = np.maximum(time - items.born, 0)
        return np.asarray(items.appeal - np.log(2.0) * ages / self.settings.appeal_half_life)

    def liking(self, user: int, domain: int, items: Ints) -> Floats:
        """Return what a user's taste adds to items, (n,), in log odds: `sd · (taste of both topics) / √2`."""
        both = self.taste[user, self.items[domain].topics[items]].sum(axis=1)
        return np.asarray(self.settings.taste_sd * both / np.sqrt(2.0))

    def attraction(self, user: int, domain: int, items: Ints, time: int) -> Floats:
        """Return how probably a user clicks on each item that they look at, (n,). items: (n,) rows."""
        odds = self.settings.base + self.liking(user, domain, items) + self.appeal(domain, time)[items]
        odds -= self.fatigue[domain].of(user, items, time)
        return np.where(self.had[domain][user, items], 0.0, 1.0 / (1.0 + np.exp(-odds)))

    def click_probabilities(self, user: int, domain: int, items: Ints, time: int) -> Floats:
        """Return how probably a user clicks on each item of a list, (n,). items: (n,) rows, best first, n ≤ 10."""
        return self.examination[: len(items)] * self.attraction(user, domain, items, time)

    def best_clicks(self, user: int, domain: int, time: int) -> float:
        """Return the expected clicks on the best list that a user could be shown at a time."""
        there = np.flatnonzero(self.arrived(domain, time))
        chances = self.attraction(user, domain, there, time)
        best = np.sort(np.partition(chances, len(chances) - LIST)[-LIST:])[::-1]
        return float(best @ self.examination)

    def regret(self, user: int, domain: int, items: Ints, time: int) -> float:
        """Return the expected clicks of the best list for a user at a time, minus those of this list. items: rows."""
        got = self.click_probabilities(user, domain, items, time).sum()
        return self.best_clicks(user, domain, time) - float(got)

    # What happens

    def show(self, user: int, domain: int, items: Ints, time: int) -> NDArray[np.bool_]:
        """Show a list of at most 10 distinct items to a user, and return which are clicked on, (n,).

        The user tires of the others.
        """
        clicked = self.visits.dice[time, : len(items)] < self.click_probabilities(user, domain, items, time)
        self.had[domain][user, items[clicked]] = True
        passed = ~clicked
        self.fatigue[domain].add(user, items[passed], self.examination[: len(items)][passed], time)
        return np.asarray(clicked)


def _items(settings: LoopSettings, number: int, quality: Floats) -> _Items:
    """Make the items of a domain. quality: (topics,) what a text tells of appeal by its topics, in all domains."""
    rng, count = np.random.default_rng([settings.seed, 11, number]), settings.items
    there = count - count // 2
    # The first half has ages up to one half-life at the beginning, the second arrives evenly.
    aged = -1 - rng.integers(0, int(settings.appeal_half_life), there)
    later = settings.before + np.sort(rng.integers(0, settings.impressions, count // 2))
    axis = rng.integers(AXES, size=count)
    other = (axis + rng.integers(1, AXES, size=count)) % AXES
    topics = 2 * np.stack([axis, other], axis=1) + rng.integers(2, size=(count, 2))
    told = _standardised(quality[topics].sum(axis=1))
    own = _standardised(rng.standard_normal(count))
    appeal = np.sqrt(settings.told) * told + np.sqrt(1.0 - settings.told) * own
    words = [title_and_text(pair, rng) for pair in topics.tolist()]
    return _Items(np.concatenate([aged, later]), topics, settings.appeal_sd * appeal, words)


def _standardised(values: Floats) -> Floats:
    """Return the values with mean 0 and standard deviation 1."""
    return np.asarray((values - values.mean()) / values.std())


def _visits(settings: LoopSettings, activity: Floats) -> Visits:
    """Draw who looks at which domain, and the dice."""
    rng = np.random.default_rng([settings.seed, 12])
    user = rng.choice(settings.users, settings.end, p=activity / activity.sum())
    domain = rng.choice(len(SHARES), settings.end, p=np.array(SHARES))
    return Visits(user, domain, rng.random((settings.end, LIST), np.float32))
