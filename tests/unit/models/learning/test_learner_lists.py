"""Lists hold the right items, with reasons."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.learning.items.item_views import item_views
from models.learning.learner import Learner
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from tests.support.learners.learner_stream import (
    DOMAINS,
    START,
    describe,
    event,
    feed,
    item,
    learner,
    restored,
)

torch.set_num_threads(1)


def ids(model: Learner, user: str | None, domain: str = "movies", k: int = 100) -> list[str]:
    return [r.item_id for r in model.recommend([user], domain, k)[0]]


def test_contributions_add_up(trained: Learner) -> None:
    """For every line of every list the parts add up to the score, within 1e-5; best first, none twice."""
    for domain in DOMAINS:
        for lines in trained.recommend([f"u{n}" for n in range(30)] + [None], domain.name, 50):
            assert lines
            scores = [r.score for r in lines]
            assert scores == sorted(scores, reverse=True)
            assert len({r.item_id for r in lines}) == len(lines)
            for line in lines:
                assert abs(sum(line.why.values()) - line.score) < 1e-5
                assert np.isfinite(list(line.why.values())).all()


def test_titles_and_rows(trained: Learner) -> None:
    """A line carries its item's title and row."""
    for line in trained.recommend(["u3"], "movies", 50)[0]:
        assert line.title == f"Title {line.item_id[1:]}"
        assert trained.catalogues[0].ids.get(line.item_id) == line.row


def test_unknown_user_gets_a_list(trained: Learner) -> None:
    """An unknown user gets the list of a new user."""
    assert ids(trained, "nobody") == ids(trained, None) != []


def test_k_bounds_the_list(trained: Learner) -> None:
    """A list has at most k items, the first k of a longer list."""
    assert ids(trained, "u1", k=5) == ids(trained, "u1", k=30)[:5]


def test_a_source_without_lists_gives_the_target_as_much() -> None:
    """A source without lists is not ranked; predictions, ranks and lists of other domains stay the same."""
    with_lists = learner()
    without = Learner(
        [Domain("movies", "source", recommend=False), *DOMAINS[1:]],
        LearningSettings(users=64, items_per_domain=60),
    )
    told = []
    for model in (with_lists, without):
        describe(model)
        told.append(feed(model, 0, 200))
    ranked = [event(n).domain != "movies" for n in range(200)]
    assert [p for p, other in zip(told[0], ranked, strict=True) if other] == [
        p for p, other in zip(told[1], ranked, strict=True) if other
    ]
    assert [prediction for prediction, _ in told[0]] == [prediction for prediction, _ in told[1]]
    assert ids(with_lists, "u1", "books") == ids(without, "u1", "books")
    assert len(without.ranker.statistics.popularity[0].top("3d")) == 0
    assert len(restored(without.state()).ranker.statistics.popularity[0].top("3d")) > 0


def test_seen_items_are_left_out() -> None:
    """What the user clicked or rated in that domain never comes back; others still see it."""
    model = learner()
    describe(model)
    feed(model, 0, 64)
    for n in range(35):
        happened = Interaction("movies", "click", "me", f"m{n}", START + 200_000 + n)
        model.learn([happened])
        assert f"m{n}" not in ids(model, "me")
    assert set(ids(model, "me")) == {f"m{n}" for n in range(35, 40)}
    assert set(ids(model, "you")) >= {f"m{n}" for n in range(40)}


@pytest.mark.parametrize("gone", [{"removed": True, "available": False}, {"available": False}])
def test_a_removed_item_is_never_recommended(gone: dict[str, bool]) -> None:
    """Removed or unavailable: gone from every list at once, and later interactions do not bring it back."""
    model = learner()
    describe(model)
    feed(model, 0, 64)
    assert "m3" in ids(model, None)
    model.put_item(item(3, **gone))
    for n in range(100, 165):
        happened = Interaction("movies", "click", f"fan{n}", "m3", START + 1000 * n)
        assert model.score(happened).rank is None
        assert model.learn([happened]).of(0).rank is None
        if n % 32 == 0:
            model.end_batch()
            assert not any("m3" in ids(model, u) for u in (None, "u1", f"fan{n}", "nobody"))
    restarted = restored(model.state())
    assert "m3" not in ids(restarted, None)
    model.put_item(item(3))
    assert "m3" in ids(model, "nobody")


def test_a_removed_item_has_no_view() -> None:
    """Nothing is published of a removed item, also after events on it and a restart; an unavailable one stays."""
    model = learner()
    model.put_item(item(1))
    model.put_item(item(2, available=False))
    model.put_item(item(1, removed=True, available=False))
    happened = Interaction("movies", "click", "u", "m1", START)
    model.learn([happened])
    for each in (model, restored(model.state())):
        gone, there = item_views(each, "movies", ["m1", "m2"])
        assert gone is None
        assert there is not None
    model.put_item(item(1))
    assert item_views(model, "movies", ["m1"])[0] is not None


def test_an_item_without_vector_is_recommended() -> None:
    """An item without a vector is recommended by its other signals."""
    model = learner()
    model.put_item(Item("movies", "m1"))
    happened = Interaction("movies", "click", "u", "m2", START)
    model.learn([happened])
    assert set(ids(model, "other")) == {"m1", "m2"}
    assert ids(model, "u") == ["m1"]


def test_an_empty_list_is_quiet() -> None:
    """Without items to recommend the list is empty, without a warning."""
    model = learner()
    happened = Interaction("movies", "click", "u", "m1", START)
    model.learn([happened])
    assert ids(model, "u") == []


def test_a_required_catalogue_needs_an_item_event() -> None:
    """With `catalogue = "required"` an item known from interactions alone is not recommended."""
    model = learner()
    for domain in ("games", "movies"):
        happened = Interaction(domain, "click", "u", "x", START)
        model.learn([happened])
    assert ids(model, "other", "games") == []
    assert ids(model, "other", "movies") == ["x"]
    model.put_item(Item("games", "x"))
    assert ids(model, "other", "games") == ["x"]


def test_an_item_event_replaces_the_earlier_one_whole() -> None:
    """Title and vectors of the earlier event are gone with it."""
    model = learner()
    model.put_item(Item("movies", "m1", "Old", "text", vectors={"image": (1.0, 2.0)}))
    assert model.catalogues[0].has_vector[0]
    model.put_item(Item("movies", "m1"))
    view = item_views(model, "movies", ["m1"])[0]
    assert view is not None
    assert view.title == ""
    assert not model.catalogues[0].has_vector[0]
