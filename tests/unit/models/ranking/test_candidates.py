"""The candidate set equals a plain union of sorted lists."""

from __future__ import annotations

import numpy as np
import pytest

from models.ranking.candidates import FEWEST, ROOM, TOP_OF_EACH, bar_of
from models.signals.registry import LAYOUT
from models.tables.decayed_counts import EVER
from tests.support.learners.ranking_world import World
from tests.support.plain import ranking as plain


@pytest.mark.parametrize(
    ("items", "text", "network"), [(400, True, True), (400, False, False), (60, True, False)]
)
def test_the_set_is_the_union_of_the_top_lists(items: int, text: bool, network: bool) -> None:
    """The set holds each signal's proposals, and popular items up to the smallest size."""
    world = World(text, items, network=network)
    world.run(1200)
    sizes = []
    for user in (None, *range(world.users)):
        eligible = world.history.eligible(user, 1)
        must, may = plain.candidates(world.ranker, 1, world.who(user), eligible)
        rows, _ = world.proposed(user)
        found = set(rows.tolist())
        sizes.append(len(found))
        assert len(rows) == len(found) <= ROOM
        assert must <= found <= set(np.flatnonzero(eligible).tolist())
        if len(may) >= FEWEST:
            assert found <= may
            continue
        assert len(found) == min(FEWEST, int(eligible.sum()))
        if left := set(np.flatnonzero(eligible).tolist()) - found:
            demand = world.ranker.statistics.popularity[1].counts[:, EVER]
            assert min(demand[list(found - may)]) >= max(demand[list(left)])
    assert (max(sizes) > FEWEST) == network


def test_a_young_domain_proposes_what_is_in_demand() -> None:
    """Without text and past the candidates are the most clicked items, then the first rows, a hundred in all."""
    world = World(text=False, items=300)
    world.learn([(1, user, item) for user in range(20) for item in range(280, 280 - user - 1, -1)])
    rows, _ = world.proposed(None)
    assert set(rows.tolist()) == set(range(261, 281)) | set(range(80))


def test_an_included_row_is_a_candidate_with_columns() -> None:
    """An item that is asked for by name is a candidate, even if closed or had; the others stay the same."""
    world = World(items=400)
    world.run(600)
    had = int(world.history.seen_rows(2, 1)[0])
    world.catalogues[1].recommendable[7] = False
    for row in (had, 7, 399):
        before, _ = world.proposed(2)
        rows, values = world.proposed(2, include=row)
        assert rows.tolist() == [*before.tolist(), *([] if row in before else [row])]
        assert np.isfinite(values[: len(LAYOUT), rows == row]).all()


def test_the_set_does_not_depend_on_the_item_that_was_chosen() -> None:
    world = World(items=400)
    world.run(600)
    wanted = np.zeros(1, np.int64)
    had = set(world.history.seen_rows(4, 1).tolist())
    sets = set()
    for item in sorted(set(range(0, 400, 37)) - had):
        proposed = world.ranker.propose(1, world.asked([4], 1, item), world.space(1), wanted)
        sets.add(tuple(proposed.rows[0, : proposed.sizes[0]].tolist()))
    assert len(sets) == 1


@pytest.mark.parametrize("seed", range(6))
def test_a_bar_parts_the_highest_from_the_rest(seed: int) -> None:
    """At most k values reach the high bar, and at least k, or all positive ones, the low bar; both are close."""
    random = np.random.default_rng(seed)
    for size in (1, 29, 30, 31, 200):
        values = random.lognormal(0, (0.01, 1, 4)[seed % 3], size).astype(np.float32)
        values[random.random(size) < 0.2] = 0.0
        low, high = (
            np.array(bar, np.int32).view(np.float32) for bar in bar_of(values.view(np.int32), TOP_OF_EACH)
        )
        assert (values >= high).sum() <= max(TOP_OF_EACH, 0)
        assert (values >= low).sum() >= min(TOP_OF_EACH, (values > 0).sum())
        assert (values >= low).sum() - (values >= high).sum() <= (np.abs(values - high) < values / 127).sum()
