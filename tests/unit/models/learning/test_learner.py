"""Every learner keeps these laws: pure scoring, exact states, equal results by seed, bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from models.learning.items.item_views import item_views
from models.learning.learner import Learner
from models.schema import Interaction
from models.settings import LearningSettings
from models.state.snapshot import snapshot
from tests.support.learners.learner_stream import (
    DOMAINS,
    START,
    cache,
    describe,
    event,
    feed,
    item,
    learner,
    raw,
    restored,
)
from tests.support.learners.states import differences

torch.set_num_threads(1)


# Scoring mutates nothing


def test_scoring_changes_nothing(trained: Learner) -> None:
    """Neither scores, nor lists, nor vectors, for known and unknown users and items, leave a trace."""
    before = trained.state()
    feed_only = [event(n, users=60, items=80) for n in range(900, 940)]
    for happened in feed_only:
        trained.score(happened)
    for domain in DOMAINS:
        trained.recommend(["u1", "nobody", None], domain.name, 20)
        item_views(trained, domain.name, [f"{domain.name[0]}1", "unknown"])
    trained.user_vectors(["u1", "u2"])
    trained.events_of("nobody")
    assert differences(before, trained.state(), ignore=cache) == []


def test_scoring_more_does_not_change_what_is_learned() -> None:
    """Two learners on one stream have equal states, although one of them scores all the time."""
    quiet, asked = learner(), learner()
    for model in (quiet, asked):
        describe(model)
    for n in range(0, 96, 16):
        feed(quiet, n, n + 16)
        for domain in DOMAINS:
            asked.recommend([f"u{k}" for k in range(30)], domain.name, 10)
        for k in range(10):
            asked.score(event(5000 + n + k, users=90, items=90))
        feed(asked, n, n + 16)
    for domain in range(3):  # bring the caches up to date
        quiet.network.item_vectors(domain)
        asked.network.item_vectors(domain)
    assert differences(quiet.state(), asked.state()) == []


def test_scoring_creates_no_row() -> None:
    """An unknown user or item is scored without becoming known."""
    model = learner()
    for n in range(50):
        model.score(event(n))
    assert len(model.users) == 0
    assert [len(c.ids) for c in model.catalogues] == [0, 0, 0]


# State


def test_state_round_trips_bit_for_bit(trained: Learner) -> None:
    """A state that is saved, encoded, decoded and loaded is the same to the last bit."""
    assert differences(trained.state(), restored(trained.state()).state()) == []


@pytest.mark.parametrize("cut", [0, 8, 72])
def test_a_restored_learner_continues_identically(cut: int) -> None:
    """A restored learner has the same predictions and last state, also between two network steps."""
    plain = learner()
    describe(plain)
    first = learner()
    describe(first)
    feed(first, 0, cut)
    second = restored(first.state())
    feed(plain, 0, cut)
    assert feed(second, cut, 110) == feed(plain, cut, 110)
    assert second.recommend(["u1", None], "books", 20) == plain.recommend(["u1", None], "books", 20)
    assert differences(second.state(), plain.state()) == []


def test_state_before_the_projection_is_fitted() -> None:
    """Raw vectors that wait for the fit are in the state."""
    plain, first = learner(), learner()
    for model in (plain, first):
        for n in range(40):
            model.put_item(item(n))
        model.put_text_vectors({("movies", f"m{n}"): raw(n) for n in range(40)}, idle=True)
    assert len(first.intake.projection.state()["waiting"]["names"]) == 40
    second = restored(first.state())
    for model in (plain, second):
        for n in range(40):
            model.put_item(item(n, "books"))
        model.put_text_vectors({("books", f"b{n}"): raw(n + 50) for n in range(40)}, idle=True)
    assert second.catalogues[1].has_vector.any()
    assert differences(plain.state(), second.state()) == []


def test_the_state_is_a_copy() -> None:
    """Later learning does not change a state that was taken."""
    model = learner()
    describe(model)
    feed(model, 0, 40)
    state = model.state()
    taken = snapshot(state)
    before = (taken.body, [a.tobytes() for a in taken.tensors.values()])
    feed(model, 40, 80)
    again = snapshot(state)
    assert before == (again.body, [a.tobytes() for a in again.tensors.values()])


def test_other_domains_are_refused(trained: Learner) -> None:
    """A state belongs to its domains, in their order."""
    with pytest.raises(ValueError, match="the state holds the domains"):
        Learner(DOMAINS[:2]).load(trained.state())
    with pytest.raises(ValueError, match="the state holds the domains"):
        Learner(DOMAINS[::-1]).load(trained.state())


# Same seed, same result


def test_same_seed_same_result() -> None:
    """Two learners with one seed and one stream are equal to the last bit; another seed differs."""
    one, two, other = learner(3), learner(3), learner(4)
    for model in (one, two, other):
        describe(model)
    assert feed(one, 0, 70) == feed(two, 0, 70)
    feed(other, 0, 70)
    assert differences(one.state(), two.state()) == []
    assert differences(one.state(), other.state()) != []


# Bounded memory


def sizes(value: Any, path: str = "") -> dict[str, int]:
    """Return the number of entries and the bytes of arrays in a state."""
    if isinstance(value, dict):
        found = {path: len(value)}
        for key, part in value.items():
            found |= sizes(part, f"{path}.{key}")
        return found
    if isinstance(value, list):
        found = {path: len(value)}
        for n, part in enumerate(value):
            found |= sizes(part, f"{path}.{n}")
        return found
    return {path: value.nbytes} if isinstance(value, np.ndarray | torch.Tensor) else {}


def test_memory_is_bounded() -> None:
    """Many more ids than rows: tables stay at capacity, and nothing grows once they are full."""
    model = learner(users=64, items=12)
    stream = {"users": 5000, "items": 500, "context": False}
    feed(model, 0, 200, **stream)
    model.rows.forget_evictions()
    before = sizes(model.state())
    feed(model, 200, 450, **stream)
    model.rows.forget_evictions()
    after = sizes(model.state())
    assert len(model.users) == 64
    assert all(len(c.ids) <= 12 for c in model.catalogues)
    filling = (".network.buffer.", ".history.seen.", ".history.recent.", ".ranker.")  # bounded, not yet full
    grown = {
        p: (n, after[p])
        for p, n in before.items()
        if after.get(p, 0) > n and not (cache(p) or p.startswith(filling))
    }
    assert grown == {}
    assert all(len(a) <= 12 * 2 for a in model.state()["history"]["seen"]["0"].values())


@pytest.mark.parametrize("users", [1, 65])
def test_any_capacity(users: int) -> None:
    """A table's capacity may be any number, not just one that doubling hits."""
    model = learner(users=users, items=7)
    feed(model, 0, 130, users=200)
    assert len(model.users) == users
    assert len(model.user_vectors([f"u{n}" for n in range(200)])) == 200


@pytest.mark.parametrize("average", [1, 3])
def test_seen_items_are_bounded_together(average: int) -> None:
    """Seen items are bounded for all users together. The least recently seen users are evicted. A single user
    keeps all they had, and a restart counts the same."""
    model, had = Learner(DOMAINS, LearningSettings(users=8, seen_items=average)), dict[str, set[str]]()
    most = 0
    for n in range(120):
        user, name = f"u{n % 3 if n < 60 else 9}", f"m{n}"
        one = Interaction("movies", "click", user, name, START + n)
        model.learn([one])
        for gone in model.rows.evicted_users:
            del had[gone]
        model.rows.forget_evictions()
        had.setdefault(user, set()).add(name)
        most = max(most, len(had))
        assert set(model.users) == set(had)
        held = sum(map(len, had.values()))
        assert model.history.seen_items == held
        assert held <= 8 * average or len(had) == 1
    assert most > 1
    assert len(had["u9"]) == 60
    assert all(model.history.has_seen(model.users.get("u9"), 0, item) for item in had["u9"])
    again = Learner(DOMAINS, LearningSettings(users=8, seen_items=average))
    again.load(model.state())
    assert again.history.seen_items == 60


def test_eviction_forgets_and_tells() -> None:
    """An item that lost its row is reported once, and starts from nothing when it comes back."""
    model = learner(items=2)
    for n in range(3):
        model.put_item(item(n))
    assert model.rows.evicted == [("movies", "m0", 0)]
    assert item_views(model, "movies", ["m0"]) == [None]
    model.put_item(item(0))
    view = item_views(model, "movies", ["m0"])[0]
    assert view is not None
    assert (view.title, view.bias) == ("Title 0", 0.0)
    assert view.popularity == 0.0
