"""A learner whose catalogue is ranked through inverted lists."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from models.learning.learner import Learner
from models.learning.micro_batches import micro_batches
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from tests.support.learners.described_items import put_described
from tests.support.learners.nearest import top
from tests.support.learners.states import differences

torch.set_num_threads(1)  # the state law holds for one thread

WORDS = ("dark", "merry", "sad")


def learner(exact_items: int) -> Learner:
    made = Learner([Domain("films"), Domain("books", "target")], LearningSettings(exact_items=exact_items))
    items = [Item(d, f"{d[0]}{n}", f"{WORDS[n % 3]} tale {n}") for d in made.index for n in range(300)]
    put_described(made, items)
    return made


def stream(start: int, events: int) -> list[Interaction]:
    random = np.random.default_rng(start)
    made = []
    for n in range(start, start + events):
        user, domain = int(random.integers(20)), "films" if n % 2 else "books"
        item = f"{domain[0]}{(3 * int(random.zipf(1.4)) + user % 3) % 300}"
        made.append(Interaction(domain, "click", f"u{user}", item, 1_700_000_000_000 + n * 60_000, None))
    return made


def run(one: Learner, events: list[Interaction]) -> list[int | None]:
    ranks = []
    for batch in micro_batches(events, 8, 10**9):
        facts = one.learn(batch)
        ranks += [facts.of(n).rank for n in range(len(batch))]
        if one.waiting >= 64:
            one.end_batch()
    return ranks


@pytest.fixture(scope="module")
def large() -> Learner:
    made = learner(exact_items=100)
    run(made, stream(0, 800))
    return made


def test_a_large_catalogue_is_ranked_through_the_index(large: Learner) -> None:
    """With an index, lists explain themselves and resemble the exact lists of the same state."""
    assert large.catalogues[1].directions.index.in_use
    assert large.network.trainer.vectors[1].index.in_use
    exact = learner(exact_items=10_000)
    exact.load(large.state())
    assert not exact.catalogues[1].directions.index.in_use
    users = [f"u{n}" for n in range(20)]
    for one, two in zip(
        large.recommend(users, "books", 10), exact.recommend(users, "books", 10), strict=True
    ):
        assert len({r.item_id for r in one} & {r.item_id for r in two}) >= 8
        for line in one:
            assert sum(line.why.values()) == pytest.approx(line.score, abs=1e-5)


def test_going_on_from_a_state_ranks_the_same(large: Learner) -> None:
    """The state law holds with an index: the same ranks event by event, and the same state."""
    other = learner(exact_items=100)
    run(other, stream(5_000, 50))  # after any state before
    other.load(large.state())
    events = list(itertools.chain(stream(800, 300)))
    assert run(large, events) == run(other, events)
    assert not differences(large.state(), other.state())


def test_an_evicted_items_row_is_found_as_its_next_item() -> None:
    """The old vector of a reused row has left the index."""
    made = Learner([Domain("books", "target")], LearningSettings(items_per_domain=150, exact_items=100))
    catalogue, random = made.catalogues[0], np.random.default_rng(0)
    for n in range(150):
        row, _ = catalogue.touch(f"b{n}")
        catalogue.set_vector(row, random.normal(size=64).astype(np.float32))
    directions = catalogue.directions
    directions.refresh(catalogue.vectors, catalogue.has_vector)
    directions.index.all_changed(directions.units)
    query = directions.units[0].copy()
    allowed = np.arange(len(directions.units)) < 150
    assert 0 in top(directions.index, directions.units, query, allowed, 5)
    row, evicted = catalogue.touch("new")
    assert (row, evicted) == (0, "b0")
    assert 0 not in top(directions.index, directions.units, query, allowed, 150)
