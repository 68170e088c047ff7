"""A shadow network learns the same events as the champion, and replaces it on evidence alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.network.network_learner import NetworkLearner
from models.state.tracked_tables import Rows, parts
from models.transfer.strategies import Trial
from tests.support.learners.network_world import World
from tests.support.learners.states import differences
from tests.support.learners.strategy_search_world import (
    DOMAINS,
    search_of,
    searching_world,
    shadow_of,
    without_search,
)


@pytest.mark.usefixtures("undecided")
def test_an_undecided_shadow_leaves_no_trace() -> None:
    """Trials that end without a verdict leave the champion as if there had been none."""
    one, two = searching_world(), World(domains=DOMAINS)
    for w in (one, two):
        w.learn(12)
    assert search_of(one.learner)._search._turn > 1
    assert one.learner.strategy == ["correct"] * 3
    assert differences(without_search(one.learner), two.learner.state()) == []


@pytest.mark.usefixtures("undecided")
def test_both_see_the_same_events_with_the_same_draws() -> None:
    """A shadow with the champion's own strategy would err exactly as much."""
    w = searching_world()
    w.learn(1)
    shadow = shadow_of(w.learner)
    shadow.trainer.strategy = list(w.learner.strategy)
    w.learn(2)  # the first one tells nothing: both networks are the same before it
    trial = search_of(w.learner)._search.trial
    assert trial is not None
    assert trial.own.count > 0
    assert trial.own.total == trial.others.total == 0.0


def independent(of: World) -> NetworkLearner:
    """Return a full copy of the champion with the shadow's strategy, which the shadow must equal."""
    twin = of.another(strategy="none")
    twin.load(of.learner.state())
    twin.trainer.strategy = list(shadow_of(of.learner).trainer.strategy)
    return twin


@pytest.mark.usefixtures("undecided")
@pytest.mark.parametrize("resumed", [False, True])
def test_the_better_shadow_takes_over(monkeypatch: pytest.MonkeyPatch, resumed: bool) -> None:
    """The champion takes over the shadow's strategy and state; its own κ stays.

    The state is bit for bit that of an independent copy that learned the same, through dropped rows and a restart.
    """
    w = searching_world()
    w.learn(1)
    learner = w.learner
    monkeypatch.setattr(Trial, "verdict", lambda _self: "open")
    twin = independent(w)
    for n in range(6):
        batch = w.batch()
        for one in (learner, twin):
            one.trainer.kappa[1] = 7.0 + n
            one.begin(*batch)()
            one.drop_user(n)
            one.drop_item(1, 2 * n)
            one.touch_item(0, 3)
            one.forget_best(0)
        if resumed and n == 2:
            state = learner.state()
            learner.load(state)
            assert differences(learner.state(), state) == []
    trial = search_of(learner)._search.trial
    assert trial is not None
    assert differences(without_search(learner), twin.state()) != []
    monkeypatch.setattr(Trial, "verdict", lambda _self: "better")
    batch = w.batch()
    for one in (learner, twin):
        one.begin(*batch)()
    assert search_of(learner).shadow is None
    assert learner.strategy[trial.target] == trial.candidate
    assert learner.trainer.kappa[1] == 12.0
    assert differences(without_search(learner), twin.state()) == []
    np.testing.assert_array_equal(learner.affinity(1, [3, None]), twin.affinity(1, [3, None]))
    w.learn(1)


@pytest.mark.usefixtures("undecided")
def test_a_shadow_holds_what_was_learned_since() -> None:
    """A shadow copies only the rows of its own steps. When it ends, the table no longer serves it."""
    w = searching_world()
    table = w.learner.items.table
    w.learn(1)
    table.capacity = 5000
    table.reserve(5000)
    search_of(w.learner).end_trial()
    search_of(w.learner).load(w.learner.state()["contest"] | {"rival": None})
    w.learn(1)
    shadow = shadow_of(w.learner)
    assert shadow.live()["items"]["used"] == 0
    w.learn(1)
    assert 0 < shadow.live()["items"]["used"] <= 3 * 60
    held = (part for _, part in parts(shadow.live()["items"]) if isinstance(part, Rows))
    assert sum(part.values.nbytes for part in held) < 20_000
    search_of(w.learner).end_trial()
    assert table._copy is None


@pytest.mark.usefixtures("undecided")
def test_what_the_champion_skips_the_shadow_skips() -> None:
    """The shadow skips what the champion skips, so both see the same random draws."""
    w = searching_world()
    w.learn(2)
    learner = w.learner
    shadow = shadow_of(learner)
    domain, user, item, residual, time, recent = w.batch()
    assert np.isnan(learner.begin(domain, user, item, np.full_like(residual, 1e30), time, recent)())
    assert shadow_of(learner) is shadow
    assert (learner.steps, shadow.trainer.steps) == (2, 2)
    w.learn(1)
    assert (learner.steps, shadow.trainer.steps) == (3, 3)


@pytest.mark.usefixtures("undecided")
def test_a_shadow_that_diverges_goes() -> None:
    """A loss of the shadow that is not finite ends its trial; the champion goes on."""
    w = searching_world()
    w.learn(2)
    with torch.no_grad():
        shadow_of(w.learner).trainer.network.user_bias[0] = np.inf
    assert np.isfinite(w.learn(1)[0])
    assert search_of(w.learner).shadow is None


@pytest.mark.usefixtures("undecided")
def test_rows_are_forgotten_by_both() -> None:
    """A row that is reset in the champion is reset in the shadow, which may become the champion."""
    w = searching_world()
    w.learn(2)
    learner, shadow = w.learner, shadow_of(w.learner)
    rows = np.arange(60)
    table_rows = learner.items.find(1, rows)
    row = rows[np.isin(table_rows, shadow._items.table.held)][0]
    old = table_rows[[row]]
    for one in (learner.items.table, shadow._items.table):
        assert one.rows(old).any()
    learner.drop_item(1, int(row))
    learner.touch_item(0, 3)
    learner.forget_best(0)
    learner.reweigh(1)
    for table in (learner.items, shadow._items):
        assert table.find(1, np.array([row])).tolist() == [-1]
        assert not table.table.rows(old).any()
