"""Draw lists from candidates: mostly the best, sometimes others, and a share of places for new items."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.exposure.plackett_luce import DrawnPool, Pool, draw, pool_of, shown_of

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

TEMPERATURE = 0.1
"""In log odds of a click, for `explore = 1`."""
NEW_SHARE = 0.12
"""Share of places for new items, for `explore = 1`."""
OPTIMISM = 0.5
"""Standard deviations of an item's appeal that are added to its mean, for `explore = 1`."""
MOST_SHARE = 0.5


def policy_name(explore: float) -> str:
    """Return the name of a setting, which is in every list that was drawn by it.

    >>> policy_name(1.0)
    'pl-1'
    """
    return f"pl-{explore:g}"


class Exploration(NamedTuple):
    """How lists are drawn. explore: 0 for not at all, 1 as recommended. seed: of all draws.

    Plackett-Luce by a temperature on mean + ½ sd, with a share of places for new items, does better in simulations than
    draws of appeals (Thompson sampling), and has exact probabilities. `river.bandit` chooses among a few arms, whose
    rewards it counts: here the arms are thousands of items that come and go, a list holds many at a time, and rewards
    are predicted from features, which its policies do not take with several pulls and known probabilities.
    """

    explore: float
    seed: int

    @property
    def optimism(self) -> float:
        """How many standard deviations are added to the mean."""
        return OPTIMISM * self.explore

    @property
    def temperature(self) -> float:
        """The temperature, in log odds of a click."""
        return TEMPERATURE * self.explore

    @property
    def share(self) -> float:
        """The share of places for new items."""
        return min(NEW_SHARE * self.explore, MOST_SHARE)

    def uniform(self, user: str | None, domain: str, number: int, places: int) -> Floats:
        """Return the random numbers of one list, (2, places) in [0, 1). The same list always has the same ones.

        They are those of Philox (Salmon et al. 2011), keyed by a hash of seed, user, domain and number.

        >>> one, again = (Exploration(1.0, 0).uniform("ann", "books", 7, 3) for _ in range(2))
        >>> other = Exploration(1.0, 0).uniform("ann", "books", 8, 3)
        >>> bool((one == again).all()), bool((one == other).any())
        (True, False)
        """
        name = f"{self.seed}\0{domain}\0{number}\0{'' if user is None else 'u' + user}"
        key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=16).digest(), "little")
        return np.random.Generator(np.random.Philox(key=key)).random((2, places))

    def candidates(self, rows: Index, values: Floats, new: NDArray[np.bool_]) -> Candidates:
        """Return what a list is drawn from. rows: (n,) item rows. values, new: see `draw`."""
        return Candidates(rows, values, new, self.temperature, self.share)

    def draw(self, values: Floats, new: NDArray[np.bool_], uniform: Floats) -> DrawnOrder:
        """Draw a list. values: (n,) log odds of a click of the candidates, mean + ½ sd. new: (n,) new items.

        uniform: (2, places).
        """
        places = uniform.shape[1]
        order, p = np.zeros(places, np.int64), np.zeros(places)
        pool = pool_of(values, new, self.temperature)
        length = draw(pool, self.share, uniform, order, p)
        # The last place may be a rounding error above 1.
        return DrawnOrder(order[:length], np.minimum(p[:length], 1.0), pool)


class Candidates(NamedTuple):
    """What a list was drawn from. rows: (n,) item rows. scores: (n,) log odds of a click, as drawn. new: (n,).

    temperature: in units of the scores. share: of places for new items.
    """

    rows: Index
    scores: Floats
    new: NDArray[np.bool_]
    temperature: float
    share: float


class DrawnOrder(NamedTuple):
    """A drawn list. order: (k,) candidates. p: (k,) probability of each given those before. pool: its candidates."""

    order: Index
    p: Floats
    pool: Pool

    def shown(self) -> DrawnPool:
        """Return what tells the probability of its order."""
        return shown_of(self.pool, self.order)
