"""Keep how much more, or less, each item is clicked than the ranker's score says: its appeal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.learning.shown.text_appeal import TextAppeal
from models.state.dirty_keys import DirtyKeys
from models.state.growing import Growing
from models.state.tracked_tables import Checkpointed, Rows
from models.tables.catalogue import Catalogue

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

PRIOR_VARIANCE = 0.5
"""Variance of appeals before any evidence, in squared log odds."""
PRIOR_ITEMS = 10.0
"""How many items, shown often, this variance is worth."""
LEAST_VARIANCE, MOST_VARIANCE = 0.02, 2.0
MEMORY = 200.0
"""The most expected clicks that are remembered of an item, so that its appeal can change."""
NEW_SHOWS = 20
"""An item is new until it was shown this many times."""
COLUMNS = ("clicks", "expected", "shows", "told", "sure")


class Estimate(NamedTuple):
    """Appeals of items, in log odds of a click: mean and standard deviation, (n,) each."""

    mean: Floats
    sd: Floats


class Appeal(Checkpointed):
    """For each item row: clicks C and expected clicks E where it was shown, and how often that was.

    With a click rate `e · exp(m + a)`, where e is expected by the score, m is what the item's text says (`TextAppeal`),
    and exp(a) ~ Gamma(k, k) before any evidence, the appeal m + a has about the mean
    `m + log((C + k) / (E exp(m) + k))` and the variance `1 / (C + k)`. Sums do not depend on the order of events, as
    long as E is under 200; then both fade. The strength k is learned by domain: `1 / k` is the variance of
    `(C - E) / E` over items beyond that of the clicks themselves (the method of moments). So appeals count little where
    score and text say all. Memory: 33 bytes an item row of a domain with impressions.

    >>> catalogue = Catalogue(8, 4)
    >>> appeal, row = Appeal({"books": 0}, [catalogue]), np.array([catalogue.touch("emma")[0]])
    >>> appeal.show(0, row, np.array([2.0]))  # expected to be clicked twice
    >>> appeal.click(0, row, np.ones(1))
    >>> appeal.renew(0)
    >>> round(appeal.strength(0), 3), appeal.of(0, row).mean.round(3).tolist()
    (2.076, [-0.281])
    """

    def __init__(self, index: Mapping[str, int], catalogues: Sequence[Catalogue]) -> None:
        """index: domain name to number."""
        self._index, self._catalogues = index, catalogues
        self.written: list[DirtyKeys] = [catalogue.ids.written for catalogue in catalogues]
        self._tables = [
            Growing(
                clicks=((), 0.0), expected=((), 0.0), shows=((), 0.0), told=((), 0.0), sure=((), np.False_)
            )
            for _ in catalogues
        ]
        self.text = TextAppeal(len(catalogues), catalogues[0].dim)
        self._strength = np.full(len(catalogues), 1.0 / PRIOR_VARIANCE)

    def known(self, domain: int) -> bool:
        """Return whether anything is known of any item."""
        return len(self._tables[domain]) > 0

    def column(self, domain: int, name: str, rows: Index) -> NDArray[Any]:
        """Return one of `COLUMNS` of item rows, (n,)."""
        held = self._tables[domain].arrays[name]
        if len(rows) == 0 or int(rows.max()) < len(held):
            return held[rows]
        out = np.zeros(len(rows), held.dtype)
        here = rows < len(held)
        out[here] = held[rows[here]]
        return out

    def strength(self, domain: int) -> float:
        """Return k."""
        return float(self._strength[domain])

    def renew(self, domain: int) -> None:
        """Learn the strength anew, from all items that were shown."""
        rows = np.flatnonzero(self._tables[domain].arrays["expected"] > 0)
        clicks = self.column(domain, "clicks", rows)
        expected = self.column(domain, "expected", rows) * np.exp(self.told_by_text(domain, rows))
        scale, weight = (1.0 + PRIOR_VARIANCE * expected) ** -2, PRIOR_ITEMS / PRIOR_VARIANCE**2
        excess = (((clicks - expected) ** 2 - expected) * scale).sum() + PRIOR_VARIANCE * weight
        variance = excess / ((expected**2 * scale).sum() + weight)
        self._strength[domain] = 1.0 / float(np.clip(variance, LEAST_VARIANCE, MOST_VARIANCE))

    def told_by_text(self, domain: int, rows: Index) -> Floats:
        """Return what texts say of the appeals of item rows, (n,)."""
        if not self.text.known:
            return np.zeros(len(rows))
        return self.text.of(domain, self._catalogues[domain].directions.units[rows])

    def learn_texts(
        self, domain: int, rows: Index, texts: Floats, expected: Floats, clicks: Floats, impressions: int
    ) -> None:
        """Let texts learn from shows and clicks. rows, expected, clicks: (n,); nothing is expected of a late click.

        texts: (n,) what `told_by_text` says of the rows.
        """
        k, more = self.strength(domain), np.exp(texts)
        worth = k / (k + self.column(domain, "expected", rows) * more)
        units = self._catalogues[domain].directions.units[rows]
        self.text.learn(domain, units, expected * more, clicks, worth, impressions)

    def of(self, domain: int, rows: Index, texts: Floats | None = None) -> Estimate:
        """Return the appeals of item rows, (n,). texts: (n,) what `told_by_text` says of them, if that is known."""
        k, text = self.strength(domain), self.told_by_text(domain, rows) if texts is None else texts
        clicks = self.column(domain, "clicks", rows) + k
        mean = text + np.log(clicks / (self.column(domain, "expected", rows) * np.exp(text) + k))
        sd = 1.0 / np.sqrt(clicks)
        sure = self.column(domain, "sure", rows)
        if sure.any():
            mean = np.where(sure, self.column(domain, "told", rows), mean)
            sd = np.where(sure, 0.0, sd)
        return Estimate(mean, sd)

    def sure(self, domain: int, rows: Index) -> NDArray[np.bool_]:
        """Return whether the appeal of each item row was told, (n,)."""
        return self.column(domain, "sure", rows)

    def show(self, domain: int, rows: Index, expected: Floats) -> None:
        """Note that items were shown. rows, expected: (n,) item rows, and expected clicks of each place."""
        self._add(domain, rows, {"expected": expected, "shows": np.ones(len(rows))})

    def click(self, domain: int, rows: Index, clicks: Floats) -> None:
        """Note clicks on shown items. rows, clicks: (n,)."""
        self._add(domain, rows, {"clicks": clicks})

    def add(
        self,
        domain: int,
        rows: Index,
        clicks: NDArray[np.float32],
        expected: NDArray[np.float32],
        shows: NDArray[np.uint32],
    ) -> None:
        """Add sums of another learner. All: (n,)."""
        self._add(domain, rows, {"clicks": clicks, "expected": expected, "shows": shows})

    def _add(self, domain: int, rows: Index, more: Mapping[str, NDArray[Any]]) -> None:
        if not len(rows):
            return
        table = self._tables[domain]
        table.reserve(int(rows.max()) + 1)
        for name, values in more.items():
            np.add.at(table.arrays[name], rows, values)
        clicks, expected = table.arrays["clicks"], table.arrays["expected"]
        full = rows[expected[rows] > MEMORY]
        clicks[full] *= (
            MEMORY / expected[full]
        )  # once for a row that is here twice: numpy reads all before it writes
        expected[full] = MEMORY
        self.written[domain].update(rows.tolist())

    def tell(self, domain_name: str, item_ids: Sequence[str], values: Sequence[float]) -> None:
        """Set the appeals of items, in log odds of a click, instead of learning them: mean as told, sd 0.

        A simulator knows them, and so can measure what knowledge of appeal is worth. Raises KeyError for an item
        without a row, and ValueError for a number that is not finite.
        """
        told = np.asarray(values, np.float64)
        if len(told) != len(item_ids) or not np.isfinite(told).all():
            raise ValueError(f"{len(item_ids)} items need as many finite numbers")
        domain = self._index[domain_name]
        rows = np.fromiter(self._catalogues[domain].ids.rows_of(list(item_ids)), np.int64, len(item_ids))
        if (rows < 0).any():
            raise KeyError(f"item {item_ids[int(np.argmin(rows))]}: not seen in {domain_name}")
        if len(rows):
            table = self._tables[domain]
            table.reserve(int(rows.max()) + 1)
            table.arrays["told"][rows], table.arrays["sure"][rows] = told, True
            self.written[domain].update(rows.tolist())

    def new(self, domain: int, size: int, most: int) -> NDArray[np.int32]:
        """Return rows of items that may be recommended and were shown less than 20 times, (n,), at most `most`.

        Those with the highest rows come first, which were added last. size: rows of the catalogue.
        """
        unseen = self._catalogues[domain].recommendable[:size].copy()
        shows = self._tables[domain].arrays["shows"][:size]
        unseen[: len(shows)] &= shows < NEW_SHOWS
        return np.flatnonzero(unseen)[-most:].astype(np.int32)

    def best(self, domain: int, most: int, optimism: float) -> NDArray[np.int32]:
        """Return the item rows of the highest appeals, mean plus `optimism` sd, (n,) at most `most`, in no order.

        Only items that may be recommended and were shown 20 times, or told, count.
        """
        table, open_ = self._tables[domain], self._catalogues[domain].recommendable
        size = min(len(table), len(open_))
        known = (table.arrays["shows"][:size] >= NEW_SHOWS) | table.arrays["sure"][:size]
        rows = np.flatnonzero(known & open_[:size])
        if len(rows) > most:
            mean, sd = self.of(domain, rows)
            rows = rows[np.argpartition(-(mean + optimism * sd), most)[:most]]
        return rows.astype(np.int32)

    def is_new(self, domain: int, rows: Index) -> NDArray[np.bool_]:
        """Return whether each item row was shown less than 20 times, (n,)."""
        new: NDArray[np.bool_] = self.column(domain, "shows", rows) < NEW_SHOWS
        return new

    def drop_item(self, domain: int, row: int) -> None:
        """Forget the row: it is free, or stands for another item, from now on."""
        table = self._tables[domain]
        if row < len(table):
            for array in table.arrays.values():
                array[row] = 0

    def drop_user(self, row: int) -> None:
        """Keep everything: nothing here is a user's."""

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "tables": [
                {name: Rows(written, table.arrays[name]) for name in COLUMNS}
                for written, table in zip(self.written, self._tables, strict=True)
            ],
            "strength": self._strength,
            "text": self.text.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        for table, held in zip(self._tables, state["tables"], strict=True):
            table.load(**held)
        self._strength = state["strength"].copy()
        self.text.load(state.get("text", {}))
