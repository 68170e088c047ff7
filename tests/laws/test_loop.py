"""On one learner the loop detects a shift, tries an action, reports its verdict, and the error returns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.adaptation.actions import plan
from models.adaptation.adaptation_loop import Notice
from models.adaptation.challengers import FreshBias, ShorterMemory
from models.arms.arm_comparison import ArmComparison
from models.learning.learner import Learner
from models.schema import Domain, Interaction
from models.settings import AdaptationSettings, LearningSettings
from models.signals.registry import NAMES
from tests.support.learners.states import differences, read_back

torch.set_num_threads(1)

DOMAINS = [Domain("books", "source", recommend=False), Domain("games", "target", recommend=False)]
START = 1_700_000_000_000


def rating(n: int, shift: float) -> Interaction:
    rng = np.random.default_rng([7, n])
    domain = "games" if rng.random() < 0.7 else "books"
    user, item = int(rng.integers(30)), int(rng.integers(40))
    value = 2.5 + 0.02 * user + 0.01 * item + (shift if domain == "games" else 0.0) + rng.normal(0, 0.5)
    return Interaction(
        domain, "rating", f"u{user}", f"{domain[0]}{item}", START + 10_000 * n, float(np.clip(value, 1, 5))
    )


def arms(enabled: bool = True) -> ArmComparison:
    adaptation = AdaptationSettings(enabled=enabled)
    return ArmComparison(
        DOMAINS, LearningSettings(users=64, items_per_domain=64, compare=False, adaptation=adaptation)
    )


def feed(
    model: ArmComparison, start: int, end: int, shift_at: int = 3000, size: int = 4
) -> tuple[list[Notice], list[float]]:
    """Learn these events in micro-batches; return the loop's notices, and the errors in the target."""
    notices, errors = list[Notice](), list[float]()
    for first in range(start, end, size):
        events = [rating(n, 1.0 if n >= shift_at else 0.0) for n in range(first, first + size)]
        notices += model.learn(events)
        assert model.latest is not None
        for event, predicted in zip(events, model.latest.prediction.tolist(), strict=True):
            if event.domain == "games":
                assert event.value is not None
                errors.append(event.value - predicted)
        if model.full.waiting >= 256:
            model.end_batch()
    return notices, errors


def test_plan() -> None:
    """Actions come mildest first, each once. Only targets align and weigh sources. Without a detection none comes."""
    assert plan([], True) == []
    assert plan(["bias"], False) == ["raise_rate", "reset_domain"]
    assert plan(["rating_error", "bias"], True) == ["raise_rate", "reset_domain"]
    assert plan(["ranking_error", "popularity"], True) == ["shorten_half_lives"]
    assert plan(["divergence"], True) == ["reweight_sources", "realign"]
    assert plan(["divergence"], False) == []


def test_a_shift_leads_to_an_action_and_a_verdict() -> None:
    """The domain's bias is learned anew, the challenger wins, and the error is back sooner than without the loop."""
    model = arms()
    notices, errors = feed(model, 0, 4200)
    story = [(n.domain, n.event, n.outcome) for n in notices if n.event in ("bias", "raise_rate")]
    assert story[:3] == [
        ("games", "bias", None), ("games", "raise_rate", None), ("games", "raise_rate", "promoted")
    ]  # fmt: skip
    verdict = next(n for n in notices if n.outcome == "promoted")
    assert verdict.score > 0
    assert verdict.events >= 30
    _, without = feed(arms(enabled=False), 0, 4200)
    after = len(errors) - 500
    assert np.abs(np.mean(errors[after:])) < 0.1 < np.abs(np.mean(without[after:]))


def test_a_stationary_stream_is_left_alone() -> None:
    notices, _ = feed(arms(), 0, 4000, shift_at=10**9)
    assert [n for n in notices if not n.event.startswith("strategy")] == []


@pytest.mark.parametrize("cut", [3020, 3100])
def test_a_restored_loop_goes_on_alike(cut: int) -> None:
    """A restored loop goes on to the last bit: before the alarm, with a challenger, and after its verdict."""
    plain, first, second = arms(), arms(), arms()
    for model in (plain, first):
        feed(model, 2000, cut)
    second.load(read_back(first.state()))
    told = [feed(model, cut, cut + 200) for model in (plain, second)]
    assert told[0] == told[1]
    assert differences(plain.state(), second.state()) == []


def test_promotion_adds_the_fresh_weights_and_their_uncertainty() -> None:
    """Promotion adds the weights with their uncertainty. Evicted users and items stay forgotten."""
    learner = Learner(DOMAINS, LearningSettings(users=64, items_per_domain=64))
    for n in range(50):
        learner.learn([rating(n, 0.0)])
    challenger = FreshBias("reset_domain", learner, 1)
    for n in range(50, 90):
        events = [rating(n, 1.0)]
        challenger.step(events, learner.learn(events), slice(0, 1))
    bias, fresh = learner.rating.bias, challenger.bias
    names = fresh.cells.names()
    gone = next(name for name in names if name.startswith("item:"))
    bias.drop_item("games", gone.split(":")[2])
    before = {name: bias.weight(name) for name in names}
    challenger.promote()
    for name in names:
        if name == gone:
            assert bias.cells.find(name) is None
        else:
            assert bias.weight(name) == before[name] + fresh.weight(name)
            assert bias.variance(name) == fresh.variance(name)
    assert fresh.weight("domain:games") > 0.3


def test_shorter_memory_moves_the_weight_of_each_half_life_to_the_next_shorter() -> None:
    learner = Learner([Domain("games", "target")], LearningSettings(users=64, items_per_domain=64))
    champion = learner.ranker.choices[0]
    champion.weights[:] = 0.0
    for value, name in enumerate(("popularity_1d", "popularity_3d", "popularity_30d", "popularity_ever"), 1):
        champion.weights[:, NAMES.index(name)] = value
    challenger = ShorterMemory("shorten_half_lives", learner, 0)
    moved = [
        challenger.choice.weights[0, NAMES.index(f"popularity_{n}")] for n in ("1d", "3d", "30d", "ever")
    ]
    assert moved == [3.0, 3.0, 4.0, 0.0]
    assert champion.weights[0, NAMES.index("popularity_1d")] == 1.0
    challenger.promote()
    assert champion.weights[0, NAMES.index("popularity_1d")] == 3.0
