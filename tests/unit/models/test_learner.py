"""The laws every learner keeps: scoring is pure, state round-trips, same seed same result, memory is bounded."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from models.learner import VECTOR_DIM, Learner
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from models.signals.registry import PLACES
from models.state.snapshot import joined, snapshot
from tests.support.states import differences

DOMAINS = [
    Domain("movies", "source"),
    Domain("books", "target", (0.0, 10.0)),
    Domain("games", "both", catalogue="required"),
]
START = 1_700_000_000_000
WIDTH = 80  # of the raw text vectors

torch.set_num_threads(1)


def learner(seed: int = 0, users: int = 64, items: int = 60) -> Learner:
    return Learner(DOMAINS, LearningSettings(users=users, items_per_domain=items, seed=seed))


def raw(n: int) -> np.ndarray:
    """What an encoder would give for the n-th text."""
    return np.random.default_rng(n).standard_normal(WIDTH).astype(np.float32)


def item(n: int, domain: str = "movies", **fields: Any) -> Item:
    return Item(domain, f"{domain[0]}{n}", title=f"Title {n}", **fields)


def event(n: int, users: int = 30, items: int = 40, context: bool = True) -> Interaction:
    """The n-th event of a fixed stream."""
    rng = np.random.default_rng([7, n])
    domain = DOMAINS[int(rng.integers(3))]
    low, high = domain.rating_range
    rating = rng.random() < 0.6
    return Interaction(
        domain.name,
        "rating" if rating else "click",
        f"u{int(rng.integers(users))}",
        f"{domain.name[0]}{int(rng.integers(items))}",
        START + 1000 * n - int(rng.integers(3)) * 7000,  # some come late
        float(rng.integers(low, high, endpoint=True)) if rating else None,
        context=("c1", "c2")[: int(rng.integers(3))] if context else (),
    )


def describe(model: Learner, items: int = 40) -> None:
    """Item events for every item of every domain, the text vectors of most."""
    for domain in DOMAINS:
        for n in range(items):
            model.put_item(item(n, domain.name, vectors={"image": (1.0, float(n))} if n % 5 == 0 else {}))
    model.put_text_vectors(
        {(d.name, f"{d.name[0]}{n}"): raw(n) for d in DOMAINS for n in range(items) if n % 4}, idle=True
    )


def feed(model: Learner, start: int, end: int, step: int = 32, size: int = 8, **stream: Any) -> list[Any]:
    """Learns these events of the stream in micro-batches of `size`; gives what was predicted before each."""
    predicted = []
    for n in range(start, end, size):
        facts = model.learn([event(k, **stream) for k in range(n, min(n + size, end))])
        predicted += [(facts.of(k).prediction, facts.of(k).rank) for k in range(len(facts))]
        if (n + size) % step == 0:
            model.end_batch()
    return predicted


def restored(state: dict[str, Any], **settings: Any) -> Learner:
    """A new learner with a state that went through the checkpoint's encoding."""
    taken = snapshot(state)
    model = learner(**settings)
    model.load(joined(msgspec.msgpack.decode(taken.body), taken.tensors))
    return model


def cache(path: str) -> bool:
    """Item vectors that the network computed on demand: a cache of what the rest of the state says."""
    return (path.startswith(".network.vectors.") and path.rsplit(".", 1)[-1] in ("_vectors", "stale")) or (
        ".stale." in path
    )


@pytest.fixture(scope="module")
def trained() -> Learner:
    """Treat as read-only."""
    model = learner()
    describe(model)
    feed(model, 0, 200)
    return model


# Scoring mutates nothing


def test_scoring_changes_nothing(trained: Learner) -> None:
    """Neither scores, nor lists, nor vectors, for known and unknown users and items, leave a trace."""
    before = trained.state()
    feed_only = [event(n, users=60, items=80) for n in range(900, 940)]
    for happened in feed_only:
        trained.score(happened)
    for domain in DOMAINS:
        trained.recommend(["u1", "nobody", None], domain.name, 20)
        trained.item_views(domain.name, [f"{domain.name[0]}1", "unknown"])
    trained.user_vectors(["u1", "u2"])
    trained.events_of("nobody")
    assert differences(before, trained.state(), ignore=cache) == []


def test_scoring_more_does_not_change_what_is_learned() -> None:
    """Two learners on one stream, one of them asked all the time: not a bit of their states differs."""
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
    """Saved, encoded, decoded, loaded: the same state to the last bit."""
    assert differences(trained.state(), restored(trained.state()).state()) == []


@pytest.mark.parametrize("cut", [0, 8, 72])
def test_a_restored_learner_continues_identically(cut: int) -> None:
    """Also between two steps of the network: the same predictions, and the same state at the end."""
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
    """Learning on does not reach into a state already taken."""
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
    """Entries of every container and bytes of every array in a state."""
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
    model.forget_evictions()
    before = sizes(model.state())
    feed(model, 200, 450, **stream)
    model.forget_evictions()
    after = sizes(model.state())
    assert len(model.users) == 64
    assert all(len(c.ids) <= 12 for c in model.catalogues)
    filling = (".network.buffer.", ".history.seen.", ".ranker.")  # bounded, not yet full
    grown = {p: (n, after[p]) for p, n in before.items() if after.get(p, 0) > n and not p.startswith(filling)}
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
    """By what users hold, not by their number: those not seen for longest give way, the others keep all. A single user
    keeps all they had, and a restart counts the same."""
    model, had = Learner(DOMAINS, LearningSettings(users=8, seen_items=average)), dict[str, set[str]]()
    most = 0
    for n in range(120):
        user, name = f"u{n % 3 if n < 60 else 9}", f"m{n}"
        one = Interaction("movies", "click", user, name, START + n)
        model.learn([one])
        for gone in model.evicted_users:
            del had[gone]
        model.forget_evictions()
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
    assert model.evicted == [("movies", "m0", 0)]
    assert model.item_views("movies", ["m0"]) == [None]
    model.put_item(item(0))
    view = model.item_views("movies", ["m0"])[0]
    assert view is not None
    assert (view.title, view.bias) == ("Title 0", 0.0)
    assert view.popularity == 0.0


# Recommendations


def ids(model: Learner, user: str | None, domain: str = "movies", k: int = 100) -> list[str]:
    return [r.item_id for r in model.recommend([user], domain, k)[0]]


def test_contributions_add_up(trained: Learner) -> None:
    """The explanation is the score, within 1e-5, for every line of every list; best first, none twice."""
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
    """A user never seen gets what a new one would get, the list for nobody."""
    assert ids(trained, "nobody") == ids(trained, None) != []


def test_k_bounds_the_list(trained: Learner) -> None:
    """At most k, and the first k of the longer list."""
    assert ids(trained, "u1", k=5) == ids(trained, "u1", k=30)[:5]


def test_a_source_without_lists_gives_the_target_as_much() -> None:
    """What nobody reads lists of is not ranked for: predictions, ranks and lists of the others stay the same."""
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
        gone, there = each.item_views("movies", ["m1", "m2"])
        assert gone is None
        assert there is not None
    model.put_item(item(1))
    assert model.item_views("movies", ["m1"])[0] is not None


def test_an_item_without_vector_is_recommended() -> None:
    """Its other signals speak for it while its text is being encoded, or if there is none."""
    model = learner()
    model.put_item(Item("movies", "m1"))
    happened = Interaction("movies", "click", "u", "m2", START)
    model.learn([happened])
    assert set(ids(model, "other")) == {"m1", "m2"}
    assert ids(model, "u") == ["m1"]


def test_an_empty_list_is_quiet() -> None:
    """Nothing to recommend, but a network: an empty list and no warning."""
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
    view = model.item_views("movies", ["m1"])[0]
    assert view is not None
    assert view.title == ""
    assert not model.catalogues[0].has_vector[0]


# Events


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
    """Their rating counts, and what they had is had; of others they have what was there before the batch."""
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
    """Ten users of one batch come to an item: to each of them it is as much in demand as before."""
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
    """Events of a user are counted per domain, those of all per domain, and steps in `model`."""
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
    view = model.item_views("movies", ["m1"])[0]
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
    views = trained.item_views("books", ["b1", "b2"])
    assert users.shape == (3, trained.network.dim)
    for view in views:
        assert view is not None
        assert view.vector.shape == (trained.network.dim,)
        assert np.isfinite(users @ view.vector).all()
    assert trained.catalogues[0].vectors.shape[1] == VECTOR_DIM
