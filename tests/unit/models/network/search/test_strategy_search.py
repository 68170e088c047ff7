"""With `auto`, a target begins with the strategy that its divergence suggests; states and configs may change."""

from __future__ import annotations

import msgspec
import pytest

from models.schema import Domain
from models.state.snapshot import joined, snapshot
from models.transfer.strategies import Search, Strategy
from tests.support.learners.network_world import World
from tests.support.learners.states import differences
from tests.support.learners.strategy_search_world import DOMAINS, search_of, searching_world, without_search


def test_without_a_trial_it_is_the_fixed_strategy() -> None:
    """Before a target is ready, `auto` learns bit for bit what `correct` learns."""
    one, two = searching_world(), World(domains=DOMAINS)
    for w in (one, two):
        w.learn(4)
    assert differences(without_search(one.learner), two.learner.state()) == []


def test_the_config_may_change_between_two_starts() -> None:
    """A state of a fixed strategy becomes one of `auto`, and the other way round."""
    fixed, auto = World(domains=DOMAINS), searching_world()
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
    """The divergence chooses once a target is ready. Afterwards only evidence chooses."""
    monkeypatch.setattr("models.transfer.domain_adapter.relative_divergence", lambda _s, _t: divergence)
    w = searching_world()
    w.learn(1)
    assert w.learner.strategy[1:] == [expected, expected]
    monkeypatch.setattr("models.transfer.domain_adapter.relative_divergence", lambda _s, _t: 3.0 - divergence)
    w.learn(20)
    assert w.learner.strategy[1:] == [expected, expected]


def test_one_domain_has_nothing_to_choose() -> None:
    """Without sources there are no trials and no weights."""
    w = searching_world([Domain("books", "target")])
    w.learn(3)
    assert search_of(w.learner)._search.targets == []
    assert search_of(w.learner).shadow is None
    assert w.learner.trainer.adapter.weights(0) == {}


def test_search_is_given_the_targets_with_sources() -> None:
    """`books` and `games` are targets; `movies` is a source only."""
    assert search_of(searching_world().learner)._search.targets == [1, 2]
    assert isinstance(search_of(searching_world().learner)._search, Search)


def test_reweigh_measures_now_and_realign_asks_for_a_trial() -> None:
    """`reweigh` measures the present vectors, without waiting for the next measurement."""
    w = searching_world()
    w.learn(4)
    learner = w.learner
    before = learner.divergence(1)
    learner.reweigh(1)
    assert learner.divergence(1) != before
    learner.realign(1)
    assert search_of(learner)._search._wanted == [1]


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("cut", [1, 2, 3, 6, 9])
def test_resume_is_bit_for_bit(cut: int) -> None:
    """A network restored from a checkpoint before, in or between trials goes on alike."""
    w = searching_world()
    w.learn(cut)
    twin = w.another()
    taken = snapshot(w.learner.state())
    twin.load(joined(msgspec.msgpack.decode(taken.body), taken.tensors))
    assert differences(w.learner.state(), twin.state()) == []
    for _ in range(8):
        batch = w.batch()
        assert w.learner.begin(*batch)() == twin.begin(*batch)()
    assert differences(w.learner.state(), twin.state()) == []
