"""Single events and micro-batches change a learner, and what is published of users and items."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from models.learning.items.item_views import item_views
from models.learning.learner import VECTOR_DIM, Learner
from models.schema import Interaction
from models.signals.registry import PLACES
from tests.support.learners.learner_stream import (
    DOMAINS,
    START,
    describe,
    event,
    feed,
    item,
    learner,
    raw,
)

torch.set_num_threads(1)


def test_predictions_stay_in_the_rating_range(trained: Learner) -> None:
    """A prediction is finite and clipped to the domain's range; a click has none."""
    for n in range(1000, 1100):
        happened = event(n, users=60, items=80)
        prediction = trained.score(happened).prediction
        if happened.kind == "click":
            assert prediction is None
        else:
            low, high = DOMAINS[trained.index[happened.domain]].rating_range
            assert prediction is not None
            assert low <= prediction <= high


def test_the_very_next_event_sees_the_last() -> None:
    """The fast path learns at once, without waiting for a step of the network."""
    model = learner()
    rating = Interaction("movies", "rating", "u", "m1", START, 5.0)
    before = model.score(rating).prediction
    model.learn([rating])
    after = model.score(msgspec.structs.replace(rating, item="m2")).prediction
    assert before is not None
    assert after is not None
    assert after > before
    assert model.waiting == 1


def test_a_users_second_event_of_a_batch_sees_their_first() -> None:
    """A user's first event of a batch counts for their second; of other users only earlier batches count."""
    model = learner()
    describe(model)
    feed(model, 0, 64)
    first = Interaction("movies", "rating", "me", "m1", START + 70_000, 5.0)
    batch = [first, msgspec.structs.replace(first, item="m2"), first]
    facts = model.learn(batch)
    row = model.users.get("me")
    assert facts.recalled.n.tolist() == [0, 1, 2]
    assert facts.recalled.events.tolist() == [0, 1, 2]
    assert facts.recalled.row[2, :2].tolist() == [model.catalogues[0].ids.get(i) for i in ("m2", "m1")]
    assert facts.of(1).prediction > facts.of(0).prediction
    assert facts.of(1).rank is not None
    assert facts.of(2).rank is None
    assert model.history.count(row, 0) == 3


def test_what_others_did_to_an_item_counts_from_the_next_batch_on() -> None:
    """Ten users of one batch choose an item: for each of them its demand is that of before."""
    model = learner()
    describe(model)
    feed(model, 0, 64)
    crowd = [Interaction("movies", "click", f"new{n}", "m3", START + 64_000 + n) for n in range(10)]
    facts = model.learn(crowd)
    place, judged = PLACES["popularity_ever"], facts.judged[0]
    demand = [judged.proposed.values[n, place, judged.ranks.chosen[n]] for n in range(10)]
    assert len(set(demand)) == 1
    again = model.learn([msgspec.structs.replace(crowd[0], user="late")]).judged[0]
    assert np.expm1(again.proposed.values[0, place, again.ranks.chosen[0]]) == pytest.approx(
        np.expm1(demand[0]) + 100, rel=1e-4
    )


def test_counts() -> None:
    """Events of a user and of all users are counted by domain, and network steps in `model`."""
    model = learner()
    feed(model, 0, 64)
    stream = [event(n) for n in range(64)]
    assert model.learned == [sum(e.domain == d.name for e in stream) for d in DOMAINS]
    mine = [e for e in stream if e.user == "u1"]
    assert model.events_of("u1") == {d.name: sum(e.domain == d.name for e in mine) for d in DOMAINS}
    assert (model.model, model.waiting) == (2, 0)


@pytest.mark.parametrize("values", [(1e300, -1e300), (1e-300, 0.0), (0.0, 0.0), (5.0, 1e38)])
def test_extreme_vectors_poison_nothing(values: tuple[float, ...]) -> None:
    """An item's own vectors may be huge, tiny or zero: everything published of it stays finite."""
    model = learner()
    describe(model)
    model.put_item(item(1, vectors={"image": values}))
    feed(model, 0, 64)
    view = item_views(model, "movies", ["m1"])[0]
    assert view is not None
    assert np.isfinite(view.vector).all()
    assert np.isfinite(model.catalogues[0].vectors).all()
    assert all(np.isfinite(r.score) for r in model.recommend(["u1"], "movies", 50)[0])


def test_text_vectors_of_unknown_items_are_dropped() -> None:
    """A vector that comes back after its item was evicted does not create a row."""
    model = learner()
    describe(model)
    model.put_text_vectors({("movies", "never-heard"): raw(1)}, idle=True)
    assert "never-heard" not in model.catalogues[0].ids


def test_vectors_have_one_width(trained: Learner) -> None:
    """User and item vectors share a space: their dot product is defined and finite."""
    users = trained.user_vectors(["u1", "u2", "nobody"])
    views = item_views(trained, "books", ["b1", "b2"])
    assert users.shape == (3, trained.network.dim)
    for view in views:
        assert view is not None
        assert view.vector.shape == (trained.network.dim,)
        assert np.isfinite(users @ view.vector).all()
    assert trained.catalogues[0].vectors.shape[1] == VECTOR_DIM
