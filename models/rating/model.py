"""Predict the rating that a user will give as a sum of parts, each a Gaussian belief that learns from every error."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.rating import batch, folding
from models.rating.bias import DRIFT, PRIOR_STRENGTH, BiasRegression
from models.rating.events import PARTS, RatedBatch
from models.rating.item_factors import ItemFactors
from models.rating.row_cells import Ids, RowCells
from models.rating.text_prior import TextPrior
from models.rating.user_taste import UserTaste
from models.schema import Domain
from models.state.dirty_keys import DirtyKeys
from models.state.tracked_tables import Checkpointed

TASTE_WIDTH = 16
"""Leading components of the item vector that a user's taste is learned on. The text prior uses all components."""
Floats = NDArray[np.float64]


class RatingModel(Checkpointed):
    """The rating model: rating = biases + text prior + θ_u · [1, mood, popularity, crowd, item vector] + noise.

    Each block keeps its own Gaussian belief, and blocks count as independent (assumed-density filtering). An error e
    has the variance S = 1 + Σ (variances of the blocks), in units of the noise. Each block moves by its share of S. So
    a block that is certain moves little, and the error of a new user does not move a well-known item. Only ratios of
    variances matter, so the noise need not be estimated. A domain's range is mapped to a width of 4.
    `models/rating/batch.py` has the loop. Source: Stern, Herbrich and Graepel (2009), "Matchbox".
    """

    def __init__(
        self,
        domains: Sequence[Domain],
        dim: int,
        forget: bool = True,
        users: Ids | None = None,
        items: Sequence[Ids] | None = None,
    ) -> None:
        """Begin without ratings.

        dim: length of an item vector. forget: whether biases follow the latest events (`bias.DRIFT`) or weigh all
        events alike. users: the table of user ids. items: one table of item ids a domain. Without these tables a bias
        can be found by row but not by name.
        """
        self.domains = list(domains)
        low, high = np.array([d.rating_range for d in domains], np.float64).reshape(-1, 2).T.copy()
        count = len(self.domains)
        self._domains = batch.Domains(
            (high - low) / 4.0, low, high, np.zeros(count), np.zeros(count, np.int64)
        )
        self.unit: list[float] = self._domains.unit.tolist()
        width = min(dim, TASTE_WIDTH)
        names = [d.name for d in domains]
        no_items: list[Ids] = [{} for _ in domains]
        self.bias = BiasRegression(
            PRIOR_STRENGTH,
            DRIFT if forget else {},
            partial(RowCells, names, {} if users is None else users, no_items if items is None else items),
        )
        assert isinstance(self.bias.cells, RowCells)
        self.cells = self.bias.cells
        drifts = [DRIFT.get(kind, 0.0) if forget else 0.0 for kind in PRIOR_STRENGTH]
        self._rates = batch.Rates(1.0 / np.array(list(PRIOR_STRENGTH.values())), np.array(drifts))
        self.text = TextPrior(dim)
        self.items = ItemFactors(count, width)
        self.taste = UserTaste(width)
        self.share_marks(DirtyKeys(), [DirtyKeys() for _ in domains])

    def share_marks(self, users: DirtyKeys, items: Sequence[DirtyKeys]) -> None:
        """Mark written rows here from now on. Other tables may share these marks. items: one a domain."""
        self.taste.written = self.cells.user_rows = users
        self.items.written, self.cells.item_rows = list(items), list(items)

    def mean(self, domain: int) -> float:
        """Return the running mean rating, the middle of the range before the first."""
        known = self._domains
        if known.counts[domain] == 0:
            return float(known.low[domain] + known.high[domain]) / 2.0
        return float(known.sums[domain] / known.counts[domain])

    def predict_batch(self, events: RatedBatch) -> Floats:
        """Return the parts of each rating, (B, 12), in rating units. Columns are the fields of `RatingParts`.

        This changes nothing, creates no row, and does not read the values of the events.
        """
        parts = np.zeros((len(events.domain), PARTS))
        batch.predict_events(self._tables(), self._compiled(events, None), parts)
        return parts

    def learn_batch(self, events: RatedBatch, lessons: Floats | None = None, both: bool = True) -> Floats:
        """Predict each rating from all before it, also earlier in the batch, then learn it. Return the parts, (B, 12).

        An event without value, user or item is only predicted. lessons: (B, 2 + k), written for `fold_batch`. both:
        False: only users learn, because `fold_batch` has taught everything else already.
        """
        learned = ~np.isnan(events.value) & (events.user >= 0) & (events.item >= 0)
        self._reserve(events, learned)
        parts = np.zeros((len(events.domain), PARTS))
        if lessons is None:
            lessons = self.no_lessons(len(parts))
        compiled = self._compiled(events, learned)
        batch.learn_events(self._tables(), compiled, both, parts, lessons)
        return parts

    def fold_batch(self, events: RatedBatch, lessons: Floats) -> None:
        """Learn items, domains, contexts and text from events whose users belong to another process.

        lessons: (B, 2 + k), written by `learn_batch` there. This neither reads nor writes users' tables.
        """
        learned = ~np.isnan(lessons[:, batch.ERROR]) & (events.item >= 0)
        self._reserve_items(events, learned)
        compiled = self._compiled(events, learned)
        folding.fold_events(self._tables(), compiled, lessons)

    def no_lessons(self, count: int) -> Floats:
        """Allocate the lessons of a batch, (count, 2 + k)."""
        return np.empty((count, batch.THETA + self.items.arrays.offset.shape[2]))

    def _tables(self) -> batch.Tables:
        return batch.Tables(
            self.cells.arrays,
            self._rates,
            self.text.arrays,
            self.taste.arrays,
            self.items.arrays,
            self._domains,
        )

    def _reserve(self, events: RatedBatch, learned: NDArray[np.bool_]) -> None:
        """Mark the rows that will be learned, and make room, because no table can grow inside a compiled function."""
        if not learned.any():
            return
        self.taste.written.update(events.user[learned].tolist())
        self.cells.reserve_users(int(events.user[learned].max()) + 1)
        self.taste.make_room(events.user[learned])
        self._reserve_items(events, learned)

    def _reserve_items(self, events: RatedBatch, learned: NDArray[np.bool_]) -> None:
        domains, items = events.domain[learned], events.item[learned]
        for domain, written in enumerate(self.items.written):
            rows = items[domains == domain]
            if len(rows):
                written.update(rows.tolist())
                count = int(rows.max()) + 1
                self.cells.reserve_items(domain, count)
                self.items.reserve(domain, count)

    def _compiled(self, events: RatedBatch, learned: NDArray[np.bool_] | None) -> batch.Events:
        """Return the batch for compiled functions. learned: (B,) events whose new contexts get slots; None for none."""
        known, items = len(self.taste.arrays.time), self.items.arrays.ratings.shape[1]
        start, slots = self._context_slots(events, learned)
        return batch.Events(
            np.ascontiguousarray(events.domain),
            np.where(events.user < known, events.user, -1),
            np.where(events.item < items, events.item, -1),
            np.ascontiguousarray(events.vectors, np.float32),
            np.ascontiguousarray(events.value),
            np.ascontiguousarray(events.external),
            np.ascontiguousarray(events.time),
            start,
            slots,
        )

    def _context_slots(
        self, events: RatedBatch, learned: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where each event's contexts start, (B + 1,), and their slots, (n, 2): the shared and the domain's."""
        contexts, slots, start = self.cells.contexts, [], np.zeros(len(events.domain) + 1, np.int64)
        if any(events.context):
            for n, names in enumerate(events.context):
                of = self.domains[events.domain[n]].name
                for name in dict.fromkeys(names):
                    pair = f"context:{name}", f"context@domain:{of}:{name}"
                    if learned is not None and learned[n]:
                        slots.append([contexts.slot(key) for key in pair])
                    else:
                        slots.append([contexts.slots.get(key, -1) for key in pair])
                start[n + 1] = len(slots)
        return start, np.array(slots, np.int64).reshape(-1, 2)

    def censored_residual(self, domain: int, value: float, total: float) -> float:
        """Return observed minus predicted, in quarters of the range; see `batch.censored_residual`."""
        low, high = self.domains[domain].rating_range
        return batch.censored_residual(float(value), float(total), float(low), float(high))

    def item_biases(self, domain: int, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> Floats:
        """Return how far each item lies from the mean for all users together, by its text and its ratings, (n,).

        rows: (n,) of one domain. vectors: (n, dim). The unit is that of ratings.
        """
        own, held = np.zeros(len(rows)), rows < self.cells.sizes[domain]
        own[held] = self.cells.arrays.item[domain, rows[held], 0]
        biases: Floats = self.unit[domain] * (own + self.text.predict_all(vectors))
        return biases

    def domain_terms(self, domain: int) -> dict[str, float]:
        """Return the domain's running bias correction, by name, in rating units (`external`: a factor)."""
        unit = self.unit[domain]
        terms = self.bias.terms(self.domains[domain].name)
        return {name: w if name.startswith("external") else unit * w for name, w in terms.items()}

    def drop_user(self, row: int) -> None:
        """Forget what was learned of the user in this row."""
        self.cells.drop_user(row)
        self.taste.drop_user(row)
        self.taste.written.add(row)

    def drop_item(self, domain: int, row: int) -> None:
        """Forget what was learned of the item in this row."""
        self.cells.drop_item(domain, row)
        self.items.drop_item(domain, row)
        self.items.written[domain].add(row)

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "sums": self._domains.sums,
            "counts": self._domains.counts,
            "bias": self.bias.live(),
            "prior": self.text.state(),
            "taste": self.taste.live(),
            "records": self.items.live(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Replace all that was learned. Load the id tables first, because an early state names its biases."""
        self._domains = self._domains._replace(sums=state["sums"].copy(), counts=state["counts"].copy())
        self.text.load(state["prior"])
        self.taste.load(state["taste"])
        self.items.load(state["records"])
        self.bias.load(state["bias"])
        self.cells.reserve_users(len(self.taste.arrays.time))
        for domain, rows in enumerate(self.items.sizes):
            self.cells.reserve_items(domain, rows)
