"""Micro-batches have laws: what a batch sees, that threads change nothing, and that states load between batches."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from models.arms.arm_comparison import ArmComparison
from models.learning.event_scorer import resolved
from models.learning.facts import Facts
from models.learning.learner import Learner
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings
from models.signals.registry import PLACES
from models.state.merging import merged
from models.state.snapshot import snapshot
from models.tables.event_rings import Done
from tests.support.learners.states import decoded, differences

torch.set_num_threads(1)

DOMAINS = [Domain("movies", "source"), Domain("books", "target"), Domain("games", "both")]
START, ITEMS = 1_700_000_000_000, 150


def event(n: int, users: int = 60, items: int = ITEMS) -> Interaction:
    """Return the n-th event of a fixed stream, one a second; three in five are of books."""
    rng = np.random.default_rng([11, n])
    domain = ("movies", "books", "books", "books", "games")[int(rng.integers(5))]
    value = float(rng.integers(1, 6)) if rng.random() < 0.6 else None
    kind = "click" if value is None else "rating"
    user, item = f"u{int(rng.integers(users))}", f"{domain[0]}{int(rng.zipf(1.3)) % items}"
    return Interaction(
        domain, kind, user, item, START + 1000 * n, value, None, ("a", "b")[: int(rng.integers(3))]
    )


def describe(model: Learner | ArmComparison) -> None:
    rng = np.random.default_rng(0)
    keys = [(d.name, f"{d.name[0]}{n}") for d in DOMAINS for n in range(ITEMS)]
    for name, item in keys:
        model.put_item(Item(name, item, f"Title {item}"))
    raw = {key: rng.standard_normal(80).astype(np.float32) for key in keys}
    model.put_text_vectors(raw, idle=True)


def learner(**settings: Any) -> Learner:
    made = Learner(DOMAINS, LearningSettings(**{"users": 200, "items_per_domain": 200} | settings))
    describe(made)
    return made


def feed(model: Learner, start: int, end: int, size: int, beside: bool = False) -> list[Facts]:
    """Learn these events in batches of `size`, with a network step after every 64, or beside the next batch."""
    told = []
    for first in range(start, end, size):
        step = beside and first % 64 == 0
        told.append(model.learn([event(n) for n in range(first, min(first + size, end))], step=step))
        if not beside and (first + size) % 64 == 0:
            model.end_batch()
    return told


def twin(model: Learner) -> Learner:
    """Return another learner with the same state."""
    other = learner()
    other.load(model.state())
    return other


@pytest.fixture(scope="module")
def trained() -> Learner:
    """Return a trained learner. Treat it as read-only."""
    model = learner()
    feed(model, 0, 512, 16)
    return model


def unlike(start: int, count: int) -> list[Interaction]:
    """Return events of the stream whose users and items all differ."""
    found, users, items = list[Interaction](), set[str](), set[str]()
    for n in range(start, start + 10 * count):
        one = event(n)
        if one.user not in users and one.item not in items and len(found) < count:
            found.append(one)
            users.add(one.user)
            items.add(one.item)
    assert len(found) == count
    return found


# What a batch sees


def test_a_batch_is_scored_as_each_of_its_events_alone(trained: Learner) -> None:
    """Events of different users and items have the same predictions, ranks and lists in any batches."""
    events = unlike(600, 24)
    events.append(msgspec.structs.replace(events[-1], user="nobody", item="b-new"))
    domain = np.array([trained.index[one.domain] for one in events])
    user = np.array([-1 if (row := trained.users.get(one.user)) is None else row for one in events])
    item = np.array(
        [-1 if (row := trained.catalogues[d].ids.get(one.item)) is None else row
         for one, d in zip(events, domain.tolist(), strict=True)]
    )  # fmt: skip
    time = np.array([one.timestamp / 1000 for one in events])
    assert (item[:-1] >= 0).all()
    before = trained.state()
    together = trained.scorer.score(
        resolved(events, Done(domain, user, item, time), item < 0, len(trained.domains))
    )
    told = [(together.of(n).rank, together.of(n).top, together.of(n).prediction) for n in range(len(events))]
    assert sum(rank is not None for rank, _, _ in told) > 10
    for one, (rank, top, prediction), rarity in zip(events, told, together.rarity.tolist(), strict=True):
        alone = trained.score(one)
        assert (alone.rank, alone.top) == (rank, top)
        assert alone.prediction == pytest.approx(prediction, abs=1e-5)
        assert alone.facts.rarity[0] == pytest.approx(rarity, nan_ok=True)
    assert differences(before, trained.state(), ignore=lambda path: ".network.vectors." in path) == []


def test_candidates_of_a_batch_are_those_of_the_state_before_it(trained: Learner) -> None:
    """The ranker learns weights event by event, but each event's candidates and columns are as if it came first."""
    events = unlike(600, 24)
    model, asked = twin(trained), twin(trained)
    facts = model.learn(events)
    compared = 0
    for n, one in enumerate(events):
        batched, alone = facts.of(n).choices, asked.score(one).choices
        if batched is None or alone is None:
            assert batched is alone
            continue
        compared += 1
        np.testing.assert_array_equal(batched.rows, alone.rows)
        assert batched.chosen == alone.chosen
        exact = [place for name, place in PLACES.items() if name != "affinity"]
        np.testing.assert_array_equal(batched.values[exact], alone.values[exact])
        affinity = PLACES["affinity"]
        np.testing.assert_allclose(batched.values[affinity], alone.values[affinity], rtol=1e-3, atol=1e-4)
    assert compared > 10


def test_a_user_is_known_at_once_whatever_the_batches(trained: Learner) -> None:
    """A user's events have the same past and the same predicted ratings in one batch or one by one."""
    events = [
        msgspec.structs.replace(event(n), user="u3", timestamp=START + 600_000 + n) for n in range(600, 624)
    ]
    events += events[:2]
    events[-1] = events[-2]
    batched, single = twin(trained), twin(trained)
    facts = batched.learn(events)
    for n, one in enumerate(events):
        alone = single.learn([one])
        count = int(facts.recalled.n[n])
        assert count == alone.recalled.n[0]
        for many, own in zip(facts.recalled[:3], alone.recalled[:3], strict=True):
            assert many[n, :count].tolist() == own[0, :count].tolist()
        assert facts.recalled.events[n] == alone.recalled.events[0]
        assert (facts.of(n).rank is None) == (alone.of(0).rank is None)
        np.testing.assert_allclose(facts.parts[n], alone.parts[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            facts.target_only_prediction[n], alone.target_only_prediction[0], rtol=1e-5
        )
        np.testing.assert_allclose(facts.residual[n], alone.residual[0], rtol=1e-4, atol=1e-5)
    assert differences(batched.history.state(), single.history.state()) == []
    assert batched.learned == single.learned
    assert facts.of(len(events) - 1).rank is None


def test_what_is_counted_does_not_depend_on_the_batches() -> None:
    """Batches of 1, 7 and 64 lead to the same histories, rows, clocks and demand; only weights may differ."""
    models = [learner() for _ in range(3)]
    for model, size in zip(models, (1, 7, 64), strict=True):
        feed(model, 0, 300, size)
    first, *others = models
    for other in others:
        for part in ("users", "history", "newest", "latest", "learned"):
            assert differences(first.state()[part], other.state()[part]) == []
        for one, two in zip(
            first.ranker.statistics.popularity, other.ranker.statistics.popularity, strict=True
        ):
            np.testing.assert_allclose(one.counts, two.counts, rtol=1e-9)
            np.testing.assert_array_equal(one.first, two.first)
        np.testing.assert_array_equal(
            first.ranker.statistics.visits.row_of, other.ranker.statistics.visits.row_of
        )


# Threads


@pytest.mark.parametrize("beside", [False, True])
def test_threads_change_no_bit(beside: bool) -> None:
    """One thread and two lead to the same predictions, ranks, lists and last state, in batches of 64."""
    one, two = learner(threads=1), learner(threads=2)
    told = [
        [(f.rank.tolist(), f.prediction.tolist()) for f in feed(x, 0, 512, 64, beside)] for x in (one, two)
    ]
    np.testing.assert_equal(told[0], told[1])
    assert (one.ranker.workers.threads, two.ranker.workers.threads) == (1, 2)
    assert differences(one.state(), two.state()) == []
    users = [None, *(f"u{n}" for n in range(60))]
    for domain in DOMAINS:
        assert one.recommend(users, domain.name, 20) == two.recommend(users, domain.name, 20)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_step_beside_a_batch_learns_the_earlier_events(trained: Learner, threads: int) -> None:
    """The batch is scored by the network from before the step, and the step does not see the batch."""
    beside, alone, plain = (learner(threads=threads) for _ in range(3))
    batch = [event(n) for n in range(544, 608)]
    for model in (beside, alone, plain):
        model.load(trained.state())
        model.learn([event(n) for n in range(512, 544)])
    facts = beside.learn(batch, step=True)
    alone.end_batch()
    without = plain.learn(batch)
    np.testing.assert_array_equal(facts.rank, without.rank)
    np.testing.assert_array_equal(facts.prediction, without.prediction)
    assert beside.waiting == len(batch)
    assert beside.model == alone.model == plain.model + 1
    one, other = (model.network.state() for model in (beside, alone))
    for part in ("network", "items", "buffer", "counts", "adam", "adapter", "rng"):
        assert differences(one[part], other[part]) == [], part


# States


def crowded() -> ArmComparison:
    """Settings with fewer rows than ids."""
    made = ArmComparison(DOMAINS, LearningSettings(users=30, items_per_domain=40, seen_items=8))
    describe(made)
    return made


def live_on(arms: ArmComparison, start: int, end: int, size: int = 16) -> None:
    """Run batches, network steps, item events, a forgotten user, and an event with a very wrong time."""
    for first in range(start, end, size):
        batch = [event(n, users=90) for n in range(first, first + size)]
        if first % 96 == 0:
            batch[3] = msgspec.structs.replace(batch[3], timestamp=START + 10**12)
        arms.learn(batch, step=first % 64 == 16)
        if first % 64 == 48:
            arms.end_batch()
        if first % 80 == 0:
            arms.forget_user(f"u{first % 90}")
            arms.put_item(Item("books", f"b{first % ITEMS}", "another title"))
            arms.put_item(Item("games", f"g{first % 30}", removed=True, available=False))
        if first % 160 == 144:
            arms.end_future(START / 1000 + first)


@pytest.mark.parametrize("cut", [16, 208, 320])
def test_a_state_taken_between_two_batches_goes_on_alike(cut: int) -> None:
    """A restored learner goes on to the last bit, with evictions, network steps and forgotten users."""
    plain, first, second = crowded(), crowded(), crowded()
    live_on(plain, 0, 480)
    live_on(first, 0, cut)
    second.load(decoded(snapshot(first.state())))
    live_on(second, cut, 480)
    assert plain.full.users.evictions > 10
    assert differences(plain.state(), second.state()) == []


def test_increments_after_batches_add_up_to_the_state() -> None:
    """A whole state and all increments, some of them lost and taken again, are the present state."""
    arms = crowded()
    base, changes = decoded(snapshot(arms.live())), list[Any]()
    for n, first in enumerate(range(0, 480, 16)):
        live_on(arms, first, first + 16)
        taken = snapshot(arms.live(), increment=True)
        if n % 5 == 2:
            taken.restore_dirty()
            continue
        changes.append(decoded(taken))
        if n % 6 == 0:
            now = decoded(snapshot(arms.state()))
            assert differences(now, merged(copy.deepcopy(base), copy.deepcopy(changes))) == []
    if n % 5 != 2:
        assert differences(decoded(snapshot(arms.state())), merged(base, changes)) == []


def test_scoring_creates_no_row_and_changes_nothing() -> None:
    """Scoring changes nothing, for known and unknown users and items, in empty and trained learners."""
    for events in (0, 128):
        model = learner()
        feed(model, 0, events, 16)
        rows = [len(model.users), *(len(c.ids) for c in model.catalogues)]
        before = model.state()
        for n in range(1000, 1030):
            model.score(event(n, users=500, items=400))
        for domain in DOMAINS:
            model.recommend(["u1", "nobody", None], domain.name, 10)
        assert [len(model.users), *(len(c.ids) for c in model.catalogues)] == rows
        assert differences(before, model.state(), ignore=lambda path: ".network.vectors." in path) == []
