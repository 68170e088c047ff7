"""`auto`: rivals with other strategies learn beside the champion, and replace it on evidence alone."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from models.network import strategy_search as contest
from models.network.network_learner import NetworkLearner
from models.network.shadow_network import Rival
from models.network.strategy_search import Contest
from models.network.trainer import NetworkStudent
from models.schema import Domain
from models.state.snapshot import joined, snapshot
from models.state.tracked_tables import Rows, parts
from models.tables.replay_buffer import Events
from models.transfer.domain_adapter import SHARED_EVENTS
from models.transfer.equations import source_mean
from models.transfer.strategies import READY_EVENTS, STRATEGIES, Search, Strategy, Trial, candidates
from tests.support.states import differences
from tests.unit.models.network.test_two_tower import World

torch.set_num_threads(1)

DOMAINS = [Domain("movies", "source"), Domain("books", "target"), Domain("games", "both")]


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials begin at once and are short."""
    monkeypatch.setattr("models.transfer.strategies.READY_EVENTS", 1)
    monkeypatch.setattr("models.transfer.strategies.REST", 1)
    monkeypatch.setattr("models.transfer.strategies.TRIAL_STEPS", 3)
    monkeypatch.setattr(contest, "READY_EVENTS", 1)


@pytest.fixture
def undecided(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """As `eager`, and no rival is ever better."""
    request.getfixturevalue("eager")
    monkeypatch.setattr(Trial, "verdict", lambda trial: "open" if trial.steps < 3 else "worse")


def world(domains: list[Domain] = DOMAINS, **settings: Any) -> World:
    return World(domains=domains, make=Contest, **settings)


def champion(of: World) -> Contest:
    assert isinstance(of.learner, Contest)
    return of.learner


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
        self.champion = self.world.learner
        self.champion.adapter.events[1] += READY_EVENTS
        self.rival = Rival(self.champion)
        self.rival.try_out(1, candidate)

    def learn(self, steps: int) -> None:
        for _ in range(steps):
            drawn = self.champion._draw(Events(*self.world.batch()))
            self.champion.train(drawn)
            self.rival.train(drawn)

    def gap(self, of: NetworkStudent) -> float:
        """How far the target's layers are from its sources'."""
        theta = of.adapter.theta().detach()
        return float((theta[1] - source_mean(theta, of.adapter.weights(1))).norm())


@pytest.mark.parametrize("current", STRATEGIES)
def test_whatever_is_tried_can_err_otherwise(current: Strategy) -> None:
    """And another that is not tried could not: it would learn what the champion learns, bit for bit."""
    for candidate in set(STRATEGIES) - {current}:
        tried = Tried(current, candidate)
        tried.learn(3)
        one, other = (NetworkStudent.live(student)["network"] for student in (tried.champion, tried.rival))
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
    assert champion(one)._search._turn > 1
    assert champion(one).strategy == ["correct"] * 3
    state = one.learner.state()
    del state["contest"]
    assert differences(state, two.learner.state()) == []


@pytest.mark.usefixtures("undecided")
def test_both_see_the_same_events_with_the_same_draws() -> None:
    """A rival with the champion's own strategy would err exactly as much."""
    w = world()
    w.learn(1)
    learner = champion(w)
    rival = learner._rival
    assert rival is not None
    rival.strategy = list(learner.strategy)
    w.learn(1)
    trial = learner._search.trial
    assert trial is not None
    assert trial.own.count > 0
    assert trial.own.total == trial.others.total == 0.0


def independent(of: Contest) -> NetworkLearner:
    """A whole copy of the champion with the rival's strategy: what the rival has to be, with tables of its own."""
    twin = NetworkLearner(DOMAINS, of.catalogues, of.history, dim=8, hidden=16, negatives=32, replay=32)
    twin.load(of.state())
    assert of._rival is not None
    twin.strategy = list(of._rival.strategy)
    return twin


@pytest.mark.usefixtures("undecided")
@pytest.mark.parametrize("resumed", [False, True])
def test_the_better_rival_takes_over(monkeypatch: pytest.MonkeyPatch, resumed: bool) -> None:
    """Its strategy and its whole state, bit for bit that of an independent copy that learned the same, through rows
    that go and come back, and a restart; the champion's κ, which the adaptation loop sets, stays."""
    w = world()
    w.learn(1)
    learner = champion(w)
    monkeypatch.setattr(Trial, "verdict", lambda _self: "open")
    twin = independent(learner)
    for n in range(6):
        batch = w.batch()
        for one in (learner, twin):
            one.kappa[1] = 7.0 + n
            one.learn(*batch)
            one.reset_user(n)
            one.reset_item(1, 2 * n)
            one.touch_item(0, 3)
            one.forget_best(0)
        if resumed and n == 2:
            state = learner.state()
            learner.load(state)
            assert differences(learner.state(), state) == []
    trial = learner._search.trial
    assert trial is not None
    assert differences(without_contest(learner), twin.state()) != []
    monkeypatch.setattr(Trial, "verdict", lambda _self: "better")
    batch = w.batch()
    for one in (learner, twin):
        one.learn(*batch)
    assert learner._rival is None
    assert learner.strategy[trial.target] == trial.candidate
    assert learner.kappa[1] == 12.0
    assert differences(without_contest(learner), twin.state()) == []
    np.testing.assert_array_equal(learner.affinity(1, [3, None]), twin.affinity(1, [3, None]))
    w.learn(1)


def without_contest(of: Contest) -> dict[str, Any]:
    state = of.state()
    del state["contest"]
    return state


@pytest.mark.usefixtures("undecided")
def test_a_rival_holds_what_was_learned_since() -> None:
    """Of a large table the rows of its steps, nothing of them before the first; and when it goes, the table is free."""
    w = world(user_capacity=5000)
    learner = champion(w)
    learner._users.reserve(5000)
    w.learn(1)
    rival = learner._rival
    assert rival is not None
    assert rival.live()["users"]["used"] == 0
    w.learn(1)
    assert 0 < rival.live()["users"]["used"] <= 40
    assert (
        sum(part.values.nbytes for _, part in parts(rival.live()["users"]) if isinstance(part, Rows)) < 20_000
    )
    learner._end()
    assert learner._users.overlay is learner._items.table.overlay is None


@pytest.mark.usefixtures("undecided")
def test_what_the_champion_skips_the_rival_skips() -> None:
    """They stay on the same draws."""
    w = world()
    w.learn(2)
    learner = champion(w)
    rival = learner._rival
    assert rival is not None
    domain, user, item, residual, time, recent = w.batch()
    assert np.isnan(learner.learn(domain, user, item, np.full_like(residual, 1e30), time, recent))
    assert learner._rival is rival
    assert (learner.steps, rival.steps) == (2, 2)
    w.learn(1)
    assert (learner.steps, rival.steps) == (3, 3)


@pytest.mark.usefixtures("undecided")
def test_a_rival_that_diverges_goes() -> None:
    w = world()
    w.learn(2)
    learner = champion(w)
    assert learner._rival is not None
    with torch.no_grad():
        learner._rival.network.user_bias[0] = np.inf
    assert np.isfinite(w.learn(1)[0])
    assert learner._rival is None


@pytest.mark.usefixtures("undecided")
def test_rows_are_forgotten_by_both() -> None:
    """What is reset in the champion is reset in the rival: it might become the champion."""
    w = world()
    w.learn(2)
    learner = champion(w)
    learner.reset_user(4)
    learner.reset_item(1, 7)
    learner.touch_item(0, 3)
    learner.forget_best(0)
    learner.reweigh(1)
    rival = learner._rival
    assert rival is not None
    for one in (learner, rival):
        assert not one._users.rows(np.array([4])).any()
        assert one._items.find(1, np.array([7])).tolist() == [-1]


def test_reweigh_measures_now_and_realign_asks_for_a_trial() -> None:
    """From the vectors as they are, and not only at the next measurement."""
    w = world()
    w.learn(4)
    learner = champion(w)
    before = learner.divergence(1)
    learner.reweigh(1)
    assert learner.divergence(1) != before
    learner.realign(1)
    assert learner._search._wanted == [1]


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("cut", [1, 2, 3, 6, 9])
def test_resume_is_bit_for_bit(cut: int) -> None:
    """Saved, in the checkpoint's encoding, before, in and between trials; the restored one goes on alike."""
    w = world()
    w.learn(cut)
    twin = Contest(DOMAINS, w.catalogues, w.history, seed=5, **w.settings)
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
    Contest(DOMAINS, fixed.catalogues, fixed.history, **fixed.settings).load(fixed.learner.state())
    back = NetworkLearner(DOMAINS, auto.catalogues, auto.history, strategy="none", **auto.settings)
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
    assert champion(w).strategy[1:] == [expected, expected]
    monkeypatch.setattr("models.transfer.domain_adapter.relative_divergence", lambda _s, _t: 3.0 - divergence)
    w.learn(20)
    assert champion(w).strategy[1:] == [expected, expected]


def test_one_domain_has_nothing_to_choose() -> None:
    """No sources: no trials, and no weights."""
    w = world([Domain("books", "target")])
    w.learn(3)
    assert champion(w)._search.targets == []
    assert champion(w)._rival is None
    assert champion(w).adapter.weights(0) == {}


def test_search_is_given_the_targets_with_sources() -> None:
    """`books` and `games` are targets; `movies` is a source only."""
    assert champion(world())._search.targets == [1, 2]
    assert isinstance(champion(world())._search, Search)
