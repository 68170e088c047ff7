"""Keep with which weights the latest lists of each user were drawn, to learn from clicks how ranks are examined."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.exposure.examination import RANKS
from models.exposure.plackett_luce import DrawnPool
from models.learning.impressions import Shown
from models.tables.seen_items import UserWords

Words = NDArray[np.int64]

WORDS = 256
"""Most numbers of a user: the first 20 places of five lists."""
HEAD = 6
"""Numbers of a list besides its items and weights."""


class Drawn(NamedTuple):
    """One list that was drawn. domain: hash. list_ts: ms. items: (n,) hashes. pool: what its draw was made from.

    share: of places for new items. A list that was written longer than 20 places keeps the first 20; what is below
    counts as not shown.
    """

    domain: int
    list_ts: int
    items: Words
    pool: DrawnPool
    share: float


class DrawnLists(UserWords):
    """The latest drawn lists of each user row, as many as fit into 256 numbers of 64 bits: five of 20 places.

    So a user takes 2 KB at most, with up to a third more for blocks that are not full, and 6 bytes without such lists.
    """

    def __init__(self) -> None:
        super().__init__(WORDS)

    def keep(self, user: int, drawn: Drawn) -> None:
        """Keep a list of a user. The oldest that do not fit are lost."""
        pool, n = drawn.pool, min(len(drawn.items), RANKS)
        rest = pool.rest + float(pool.weights[n:].sum())
        rest_new = pool.rest_new + float(pool.weights[n:][pool.new[n:]].sum())
        weights = np.where(pool.new[:n], -pool.weights[:n], pool.weights[:n])  # the sign tells new ones
        head = [drawn.domain, drawn.list_ts, n]
        numbers = np.concatenate([weights, [rest, rest_new, drawn.share]]).view(np.int64)
        words = np.concatenate([drawn.items[:n], numbers, np.array(head, np.int64)])
        self._add(user, words)

    def of(self, user: int) -> Iterator[Drawn]:
        """Yield the user's lists, the one added last first."""
        words = self._words.of(user)
        end = len(words)
        while end >= HEAD:
            domain, list_ts, n = words[end - 3 : end].tolist()
            begin = end - HEAD - 2 * n
            if begin < 0:
                return  # the rest of one that has lost its beginning
            weights = words[begin + n : end - 3].view(np.float64)
            signed = weights[:n]
            pool = DrawnPool(np.abs(signed), np.signbit(signed), float(weights[n]), float(weights[n + 1]))
            yield Drawn(domain, list_ts, words[begin : begin + n], pool, float(weights[n + 2]))
            end = begin

    def drawn(self, user: int, shown: Shown) -> tuple[DrawnPool, float] | None:
        """Return with which weights the items of an impression were drawn, in its order, and the share of new ones.

        None if nobody knows. The impression must name its list, and begin with the first items of that list.
        """
        if not shown.list_ts or self.empty:
            return None
        for one in self.of(user):
            if one.list_ts == shown.list_ts and one.domain == shown.domain:
                n = min(len(shown.items), len(one.items))
                if not np.array_equal(shown.items[:n], one.items[:n]):
                    return None
                weights, new = one.pool.weights, one.pool.new
                rest = one.pool.rest + float(weights[n:].sum())
                rest_new = one.pool.rest_new + float(weights[n:][new[n:]].sum())
                return DrawnPool(weights[:n], new[:n], rest, rest_new), one.share
        return None
