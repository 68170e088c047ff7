"""What a learner takes from facts of other learners' users, and what only the own users learn of known events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.arms.arm_comparison import ArmComparison
from models.arms.fact_exchange import judge, outgoing
from models.schema import Domain, Interaction
from models.settings import LearningSettings
from models.sharing.joining import batches
from models.sharing.shared_facts import Place, SharedFacts
from tests.laws.test_batches import DOMAINS, describe, event
from tests.support.learners.rating_states import mean_of
from tests.support.learners.states import differences

EVENTS = [event(n) for n in range(96)]


def arms(domains: Sequence[Domain] = DOMAINS, described: bool = True, **settings: int) -> ArmComparison:
    made = ArmComparison(domains, LearningSettings(**({"users": 200, "items_per_domain": 200} | settings)))
    if described:
        describe(made)
    return made


def learned(model: ArmComparison, events: Sequence[Interaction]) -> list[SharedFacts]:
    """Learn the events in batches of 16, and return their facts."""
    facts = []
    for first in range(0, len(events), 16):
        batch = events[first : first + 16]
        model.learn(batch)
        facts.append(outgoing(model, batch, [Place("t", 0, first + n) for n in range(len(batch))]))
    return facts


def test_items_met_in_facts_enter_the_catalogue_and_users_do_not() -> None:
    model = arms(described=False)
    for shared in learned(arms(), EVENTS):
        model.full.fold(shared)
    for domain, catalogue in zip(DOMAINS, model.full.catalogues, strict=True):
        assert set(catalogue.ids) == {one.item for one in EVENTS if one.domain == domain.name}
    assert len(model.full.users) == 0
    assert model.full.recommend([None], "books", 5)[0], "new users get the popular items"


def test_a_known_event_teaches_its_user_only() -> None:
    """As after a crash: the facts were read first, and the own events come once more."""
    shared = learned(arms(), EVENTS)
    model = arms()
    for one in shared:
        model.full.fold(one)
    items = [statistics_of(model), model.full.learned]
    for first in range(0, len(EVENTS), 16):
        model.learn(EVENTS[first : first + 16], known=True)
    assert differences(items, [statistics_of(model), model.full.learned]) == []
    plain = arms()
    learned(plain, EVENTS)
    user = EVENTS[0].user
    assert model.full.events_of(user) == plain.full.events_of(user)
    row = model.full.users.get(user)
    assert row is not None
    assert mean_of(model.full.rating.taste.arrays, row).any()


def statistics_of(model: ArmComparison) -> object:
    """Return the state of what all shards share."""
    state = model.full.state()
    ratings = [state["rating"], *state["alone"].values()]
    shared = [{name: held[name] for name in ("sums", "counts", "prior", "records")} for held in ratings]
    return [model.full.ranker.statistics.state(), shared]


def test_facts_of_a_domain_that_the_config_lacks_are_left_out() -> None:
    shared = learned(arms(), EVENTS)
    fewer = arms(DOMAINS[1:], described=False)
    for one in shared:
        fewer.full.fold(one)
        judge(fewer, one)
    expected = [sum(one.domain == domain.name for one in EVENTS) for domain in DOMAINS[1:]]
    assert fewer.full.learned == expected
    assert {domain for domain, _, _ in fewer.prequential.measured()} <= {d.name for d in DOMAINS[1:]}
    only = arms(DOMAINS[:1], described=False)
    lone = learned(arms(), [one for one in EVENTS if one.domain == "books"])
    assert len(only.full.fold(lone[0]).item) == 0


def test_facts_fold_together_as_one_after_the_other() -> None:
    """Joined into batches of up to 40: the same sums, the same co-visits, the same learned items."""
    shared, apart, together = learned(arms(), EVENTS), arms(), arms()
    for one in shared:
        apart.full.fold(one)
        judge(apart, one)
    assert [one.size for one in batches(shared, 40)] == [32, 32, 32]
    for one in batches(shared, 40):
        together.full.fold(one)
        judge(together, one)
    scale = (
        ".visits.start",
        ".visits.places.weights",
    )  # co-visits count from the newest time of the first batch
    differing = differences(statistics_of(apart), statistics_of(together), lambda path: path.endswith(scale))
    assert differing == []
    assert differences(apart.prequential.state(), together.prequential.state()) == []


def test_more_items_than_rows_take_the_rows_of_others() -> None:
    crowded = arms(described=False, items_per_domain=40)
    for shared in learned(arms(), EVENTS):
        for part in shared.parts(crowded.full.most_events):
            crowded.full.fold(part)
    assert all(len(catalogue.ids) <= 40 for catalogue in crowded.full.catalogues)
    assert sum(crowded.full.learned) == len(EVENTS)


def test_a_network_can_learn_from_facts() -> None:
    """The seam for a trainer: rows, residual and the latest items, as the own learner's network gets them."""
    teacher, model = arms(), arms()
    for first in range(0, len(EVENTS), 16):
        batch = EVENTS[first : first + 16]
        teacher.learn(batch)
        facts = teacher.latest
        assert facts is not None
        shared = outgoing(teacher, batch, [Place("t", 0, first + n) for n in range(len(batch))])
        pending = model.full.fold(shared)
        own = facts.recalled.context(30)
        np.testing.assert_array_equal(pending.item, facts.done.item)
        np.testing.assert_allclose(pending.residual, facts.residual, rtol=1e-5)
        length = pending.recent.shape[1]
        np.testing.assert_array_equal(pending.recent[:, :, :2], own[:, :length, :2])
        passed, expected = (
            np.where(recent[:, :length, 0] < 0, 0.0, pending.time[:, None] - recent[:, :length, 2])
            for recent in (pending.recent, own)
        )
        np.testing.assert_allclose(passed, expected, rtol=0.02, atol=1.0)
        model.full.pending.add(pending)
    before = model.full.model
    model.end_batch()
    assert model.full.model > before
