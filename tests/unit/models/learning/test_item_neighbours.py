"""Neighbours of an item: what users have together with it, and what its vector is near to."""

from __future__ import annotations

import numpy as np
import pytest

from models.learning.items.item_neighbours import PRIOR, TEXT, item_neighbours
from models.learning.learner import Learner
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings

START = 1_700_000_000_000


@pytest.fixture
def learner() -> Learner:
    return Learner(
        [Domain("movies"), Domain("books", "target")],
        LearningSettings(users=64, items_per_domain=60, compare=False),
    )


def click(learner: Learner, user: str, *items: str, domain: str = "movies") -> None:
    for item in items:
        learner.learn([Interaction(domain, "click", user, item, START)])


def ids(learner: Learner, item: str, k: int = 10, domain: str = "movies") -> list[str]:
    return [found.item_id for found in item_neighbours(learner, domain, item, k)]


def test_the_score_of_a_pair_by_hand(learner: Learner) -> None:
    """Two of three users of a have b: n_ab = 2, n_a = 3, n_b = 2."""
    click(learner, "ann", "a", "b")
    click(learner, "bob", "a", "b")
    click(learner, "cem", "a")
    found = item_neighbours(learner, "movies", "a", 5)
    assert [n.item_id for n in found] == ["b"]
    assert found[0].score == pytest.approx(2 / (6**0.5 + PRIOR), rel=1e-6)
    assert found[0].why == {"together": found[0].score, "text": 0.0}


def test_more_users_in_common_come_first(learner: Learner) -> None:
    """At most k, most alike first, and never the item itself."""
    for n in range(6):
        click(learner, f"u{n}", "a", "b", *(["c"] if n < 2 else []), *(["d"] if n < 4 else []))
    assert ids(learner, "a") == ["b", "d", "c"]
    assert ids(learner, "a", 2) == ["b", "d"]


def test_vectors_find_what_nobody_has_had(learner: Learner) -> None:
    """An item without an event stands behind what users have together, by the cosine of centred vectors."""
    names = "abcdefghij"
    for name in names:
        learner.put_item(Item("movies", name, title=name))
    raw = np.random.default_rng(3).normal(size=(len(names), 80)).astype(np.float32)
    raw[1] = raw[0] + 0.1 * raw[3]
    learner.put_text_vectors({("movies", n): raw[k] for k, n in enumerate(names)}, idle=True)
    assert ids(learner, "a")[0] == "b"
    found = item_neighbours(learner, "movies", "a", 1)
    catalogue = learner.catalogues[0]
    a, b = (catalogue.directions.units[catalogue.ids.get(n)] for n in "ab")
    assert found[0].why == {"together": 0.0, "text": pytest.approx(TEXT * float(a @ b), rel=1e-5)}


def test_only_items_that_may_be_recommended(learner: Learner) -> None:
    """Not a removed one, nor one of another domain; an item without a row or without anything has none."""
    click(learner, "ann", "a", "b", "c")
    click(learner, "ann", "x", domain="books")
    assert ids(learner, "a") == ["b", "c"]
    learner.put_item(Item("movies", "b", removed=True))
    assert ids(learner, "a") == ["c"]
    assert ids(learner, "nobody") == []
    learner.put_item(Item("movies", "alone", title="Alone"))
    assert ids(learner, "alone") == []
