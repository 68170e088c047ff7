"""`auto`: rivals with other strategies learn beside the champion, and replace it on evidence alone."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from models.network import strategy_search
from models.network.network_learner import NetworkLearner
from models.network.shadow_network import ShadowNetwork
from models.network.strategy_search import StrategySearch
from models.network.trainer import NetworkTrainer
from models.schema import Domain
from models.state.snapshot import joined, snapshot
from models.state.tracked_tables import Rows, parts
from models.tables.replay_buffer import Events
from models.transfer.domain_adapter import SHARED_EVENTS
from models.transfer.equations import source_mean
from models.transfer.strategies import READY_EVENTS, STRATEGIES, Search, Strategy, Trial, candidates
from tests.support.network_world import World
from tests.support.states import differences

torch.set_num_threads(1)

DOMAINS = [Domain("movies", "source"), Domain("books", "target"), Domain("games", "both")]


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials begin at once and are short."""
    monkeypatch.setattr("models.transfer.strategies.READY_EVENTS", 1)
    monkeypatch.setattr("models.transfer.strategies.REST", 1)
    monkeypatch.setattr("models.transfer.strategies.TRIAL_STEPS", 3)
    monkeypatch.setattr(strategy_search, "READY_EVENTS", 1)


@pytest.fixture
def undecided(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """As `eager`, and no rival is ever better."""
    request.getfixturevalue("eager")
    monkeypatch.setattr(Trial, "verdict", lambda trial: "open" if trial.steps < 3 else "worse")


def world(domains: list[Domain] = DOMAINS, **settings: Any) -> World:
    return World(domains=domains, strategy="auto", **settings)


def search(of: NetworkLearner) -> StrategySearch:
    assert of.search is not None
    return of.search


def shadow(of: NetworkLearner) -> ShadowNetwork:
    found = search(of).shadow
    assert found is not None
    return found


def test_without_a_trial_it_is_the_fixed_strategy() -> None:
    """Before a target is ready, `auto` learns bit for bit what `correct` learns."""
    one, two = world(), World(domains=DOMAINS)
    for w in (one, two):
        w.learn(4)
    state = one.learner.state()
    del state["contest"]
    assert differences(state, two.learner.state()) == []


class Tried:
    """A rival with one strategy beside a champion with another, for a target that is ready for trials."""

    def __init__(self, current: Strategy, candidate: Strategy, domains: list[Domain] = DOMAINS) -> None:
        self.world = World(domains=domains, strategy=current)
        self.world.learn(2)
        self.champion = self.world.learner.trainer
        self.champion.adapter.events[1] += READY_EVENTS
        shadow = ShadowNetwork(self.champion, self.world.learner.items)
        shadow.try_out(1, candidate)
        self.rival = shadow.trainer

    def learn(self, steps: int) -> None:
        for _ in range(steps):
            batch = Events(*self.world.batch())
            layout = self.world.learner._draw(batch)
            self.champion.train(batch, layout)
            self.rival.train(batch, layout)

    def gap(self, of: NetworkTrainer) -> float:
        """How far the target's layers are from its sources'."""
        theta = of.adapter.theta().detach()
        return float((theta[1] - source_mean(theta, of.adapter.weights(1))).norm())


@pytest.mark.parametrize("current", STRATEGIES)
def test_whatever_is_tried_can_err_otherwise(current: Strategy) -> None:
    """And another that is not tried could not: it would learn what the champion learns, bit for bit."""
    for candidate in set(STRATEGIES) - {current}:
        tried = Tried(current, candidate)
        tried.learn(3)
        one, other = (trainer.live()["network"] for trainer in (tried.champion, tried.rival))
        alike = all(torch.equal(one[name], other[name]) for name in one)
        assert alike == (candidate not in candidates(current)), candidate


def test_a_trial_of_sharing_begins_with_the_sources_layers() -> None:
    """They are the target's for its first events of the trial, and then it goes its own way from there."""
    tried, rounding = Tried("none", "share", DOMAINS[:2]), 1e-5
    last = int(tried.champion.adapter.events[1]) + SHARED_EVENTS
    while True:
        tried.learn(1)
        if tried.champion.adapter.events[1] > last:
            break
        assert tried.gap(tried.rival) < rounding < tried.gap(tried.champion)
    assert rounding < tried.gap(tried.rival) < tried.gap(tried.champion)


def test_a_trial_of_correction_draws_the_target_to_its_sources() -> None:
    tried = Tried("none", "correct")
    tried.learn(6)
    assert 0 < tried.gap(tried.rival) < tried.gap(tried.champion)


@pytest.mark.usefixtures("undecided")
def test_an_undecided_rival_leaves_no_trace() -> None:
    """Trials that end without a verdict leave the champion as if there had been none."""
    one, two = world(), World(domains=DOMAINS)
    for w in (one, two):
        w.learn(12)
    assert search(one.learner)._search._turn > 1
    assert one.learner.strategy == ["correct"] * 3
    state = one.learner.state()
    del state["contest"]
    assert differences(state, two.learner.state()) == []


@pytest.mark.usefixtures("undecided")
def test_both_see_the_same_events_with_the_same_draws() -> None:
    """A rival with the champion's own strategy would err exactly as much."""
    w = world()
    w.learn(1)
    rival = shadow(w.learner)
    rival.trainer.strategy = list(w.learner.strategy)
    w.learn(2)  # the first one tells nothing: both networks are the same before it
    trial = search(w.learner)._search.trial
    assert trial is not None
    assert trial.own.count > 0
    assert trial.own.total == trial.others.total == 0.0


def independent(of: World) -> NetworkLearner:
    """A whole copy of the champion with the rival's strategy: what the rival has to be, with tables of its own."""
    twin = of.another(strategy="none")
    twin.load(of.learner.state())
    twin.trainer.strategy = list(shadow(of.learner).trainer.strategy)
    return twin


@pytest.mark.usefixtures("undecided")
@pytest.mark.parametrize("resumed", [False, True])
def test_the_better_rival_takes_over(monkeypatch: pytest.MonkeyPatch, resumed: bool) -> None:
    """Its strategy and its whole state, bit for bit that of an independent copy that learned the same, through rows
    that go and come back, and a restart; the champion's κ, which the adaptation loop sets, stays."""
    w = world()
    w.learn(1)
    learner = w.learner
    monkeypatch.setattr(Trial, "verdict", lambda _self: "open")
    twin = independent(w)
    for n in range(6):
        batch = w.batch()
        for one in (learner, twin):
            one.trainer.kappa[1] = 7.0 + n
            one.learn(*batch)
            one.drop_user(n)
            one.drop_item(1, 2 * n)
            one.touch_item(0, 3)
            one.forget_best(0)
        if resumed and n == 2:
            state = learner.state()
            learner.load(state)
            assert differences(learner.state(), state) == []
    trial = search(learner)._search.trial
    assert trial is not None
    assert differences(without_contest(learner), twin.state()) != []
    monkeypatch.setattr(Trial, "verdict", lambda _self: "better")
    batch = w.batch()
    for one in (learner, twin):
        one.learn(*batch)
    assert search(learner).shadow is None
    assert learner.strategy[trial.target] == trial.candidate
    assert learner.trainer.kappa[1] == 12.0
    assert differences(without_contest(learner), twin.state()) == []
    np.testing.assert_array_equal(learner.affinity(1, [3, None]), twin.affinity(1, [3, None]))
    w.learn(1)


def without_contest(of: NetworkLearner) -> dict[str, Any]:
    state = of.state()
    del state["contest"]
    return state


@pytest.mark.usefixtures("undecided")
def test_a_rival_holds_what_was_learned_since() -> None:
    """Of a large table the rows of its steps, nothing of them before the first; and when it goes, the table is free."""
    w = world()
    table = w.learner.items.table
    w.learn(1)
    table.capacity = 5000
    table.reserve(5000)
    search(w.learner).end_trial()
    search(w.learner).load(w.learner.state()["contest"] | {"rival": None})
    w.learn(1)
    rival = shadow(w.learner)
    assert rival.live()["items"]["used"] == 0
    w.learn(1)
    assert 0 < rival.live()["items"]["used"] <= 3 * 60
    held = (part for _, part in parts(rival.live()["items"]) if isinstance(part, Rows))
    assert sum(part.values.nbytes for part in held) < 20_000
    search(w.learner).end_trial()
    assert table._copy is None


@pytest.mark.usefixtures("undecided")
def test_what_the_champion_skips_the_rival_skips() -> None:
    """They stay on the same draws."""
    w = world()
    w.learn(2)
    learner = w.learner
    rival = shadow(learner)
    domain, user, item, residual, time, recent = w.batch()
    assert np.isnan(learner.learn(domain, user, item, np.full_like(residual, 1e30), time, recent))
    assert shadow(learner) is rival
    assert (learner.steps, rival.trainer.steps) == (2, 2)
    w.learn(1)
    assert (learner.steps, rival.trainer.steps) == (3, 3)


@pytest.mark.usefixtures("undecided")
def test_a_rival_that_diverges_goes() -> None:
    w = world()
    w.learn(2)
    with torch.no_grad():
        shadow(w.learner).trainer.network.user_bias[0] = np.inf
    assert np.isfinite(w.learn(1)[0])
    assert search(w.learner).shadow is None


@pytest.mark.usefixtures("undecided")
def test_rows_are_forgotten_by_both() -> None:
    """What is reset in the champion is reset in the rival: it might become the champion."""
    w = world()
    w.learn(2)
    learner, rival = w.learner, shadow(w.learner)
    rows = np.arange(60)
    table_rows = learner.items.find(1, rows)
    row = rows[np.isin(table_rows, rival._items.table.held)][0]
    old = table_rows[[row]]
    for one in (learner.items.table, rival._items.table):
        assert one.rows(old).any()
    learner.drop_item(1, int(row))
    learner.touch_item(0, 3)
    learner.forget_best(0)
    learner.reweigh(1)
    for table in (learner.items, rival._items):
        assert table.find(1, np.array([row])).tolist() == [-1]
        assert not table.table.rows(old).any()


def test_reweigh_measures_now_and_realign_asks_for_a_trial() -> None:
    """From the vectors as they are, and not only at the next measurement."""
    w = world()
    w.learn(4)
    learner = w.learner
    before = learner.divergence(1)
    learner.reweigh(1)
    assert learner.divergence(1) != before
    learner.realign(1)
    assert search(learner)._search._wanted == [1]


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("cut", [1, 2, 3, 6, 9])
def test_resume_is_bit_for_bit(cut: int) -> None:
    """Saved, in the checkpoint's encoding, before, in and between trials; the restored one goes on alike."""
    w = world()
    w.learn(cut)
    twin = w.another()
    taken = snapshot(w.learner.state())
    twin.load(joined(msgspec.msgpack.decode(taken.body), taken.tensors))
    assert differences(w.learner.state(), twin.state()) == []
    for _ in range(8):
        batch = w.batch()
        assert w.learner.learn(*batch) == twin.learn(*batch)
    assert differences(w.learner.state(), twin.state()) == []


def test_the_config_may_change_between_two_starts() -> None:
    """A state of a fixed strategy becomes one of `auto`, and the other way round."""
    fixed, auto = World(domains=DOMAINS), world()
    fixed.learn(2)
    auto.learn(2)
    fixed.another(strategy="auto").load(fixed.learner.state())
    back = auto.another(strategy="none")
    back.load(auto.learner.state())
    assert back.strategy == ["none"] * 3


@pytest.mark.usefixtures("undecided")
@pytest.mark.parametrize(("divergence", "expected"), [(0.01, "correct"), (3.0, "adversarial")])
def test_the_measured_divergence_chooses_first(
    monkeypatch: pytest.MonkeyPatch, divergence: float, expected: Strategy
) -> None:
    """Once a target is ready; afterwards the evidence decides, whatever the divergence becomes."""
    monkeypatch.setattr("models.transfer.domain_adapter.relative_divergence", lambda _s, _t: divergence)
    w = world()
    w.learn(1)
    assert w.learner.strategy[1:] == [expected, expected]
    monkeypatch.setattr("models.transfer.domain_adapter.relative_divergence", lambda _s, _t: 3.0 - divergence)
    w.learn(20)
    assert w.learner.strategy[1:] == [expected, expected]


def test_one_domain_has_nothing_to_choose() -> None:
    """No sources: no trials, and no weights."""
    w = world([Domain("books", "target")])
    w.learn(3)
    assert search(w.learner)._search.targets == []
    assert search(w.learner).shadow is None
    assert w.learner.trainer.adapter.weights(0) == {}


def test_search_is_given_the_targets_with_sources() -> None:
    """`books` and `games` are targets; `movies` is a source only."""
    assert search(world().learner)._search.targets == [1, 2]
    assert isinstance(search(world().learner)._search, Search)
