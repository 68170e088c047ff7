"""Strategies are tried in turn, and replaced only with evidence."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from models.settings import AdaptationSettings
from models.transfer.strategies import (
    COOLDOWN_FACTOR,
    FAR,
    MAX_TRIAL_EVENTS,
    MAX_TRIAL_STEPS,
    MIN_TRIAL_STEPS,
    PLANS,
    READY_EVENTS,
    STRATEGIES,
    Search,
    Strategy,
    Trial,
    candidates,
    first_choice,
)
from tests.support.learners.states import differences

READY = np.array([0, READY_EVENTS, READY_EVENTS])


def trial() -> Trial:
    begun = Search([1]).begin(["none", "correct", "none"], READY, 256)
    assert begun is not None
    return begun


def feed(one: Trial, own: float, others: float, steps: int, noise: float = 0.1) -> None:
    """Run steps of 10 events of target 1 and 10 of domain 0, with the shadow's losses lower by this much."""
    rng = np.random.default_rng(0)
    domain = np.repeat([1, 0], 10)
    for _ in range(steps):
        gain = np.repeat([own, others], 10) + noise * rng.standard_normal(20)
        one.add(domain, np.full(20, 5.0), 5.0 - gain)


def test_every_strategy_has_a_plan_and_can_be_configured() -> None:
    assert set(PLANS) == set(STRATEGIES)
    for name in (*STRATEGIES, "auto"):
        assert msgspec.convert({"strategy": name}, AdaptationSettings).strategy == name


def test_near_domains_correct_far_ones_align() -> None:
    assert first_choice(0.0) == "correct"
    assert first_choice(0.9 * FAR) == "correct"
    assert first_choice(FAR) == "adversarial"


def test_a_rival_that_errs_less_is_better() -> None:
    one = trial()
    feed(one, own=0.1, others=0.0, steps=60)
    assert one.verdict() == "better"


def test_no_verdict_on_the_first_events() -> None:
    """500 target events are too few for a verdict, for any difference."""
    one = trial()
    feed(one, own=3.0, others=0.0, steps=50)
    assert one.verdict() == "open"


def test_a_rival_that_errs_more_goes_before_its_time() -> None:
    one = trial()
    feed(one, own=-0.1, others=0.0, steps=60)
    assert one.verdict() == "worse"
    assert one.own.count < MAX_TRIAL_EVENTS


def test_not_at_the_cost_of_other_domains() -> None:
    """A shadow that is better for its target and worse for others is not promoted, and dropped at the end."""
    one = trial()
    feed(one, own=0.1, others=-0.1, steps=60)
    assert one.verdict() == "open"
    feed(one, own=0.1, others=-0.1, steps=80)
    assert one.verdict() == "worse"


def test_a_trial_without_evidence_ends() -> None:
    """A trial without evidence ends after 1,024 target events, or 256 steps if the target is quiet."""
    one = trial()
    feed(one, own=0.0, others=0.0, steps=MAX_TRIAL_EVENTS // 10)
    assert one.verdict() == "open"
    feed(one, own=0.0, others=0.0, steps=1)
    assert one.verdict() == "worse"
    quiet = trial()
    for _ in range(MAX_TRIAL_STEPS):
        assert quiet.verdict() == "open"
        quiet.add(np.zeros(4, np.int64), np.ones(4), np.ones(4))
    assert quiet.verdict() == "worse"


def test_no_trial_before_a_target_is_ready() -> None:
    search = Search([1, 2])
    current: list[Strategy] = ["none", "correct", "correct"]
    assert search.begin(current, READY - 1, 256) is None
    begun = search.begin(current, np.array([0, 0, READY_EVENTS]), 256)
    assert begun is not None
    assert begun.target == 2


def test_nothing_to_search_without_sources() -> None:
    assert Search([]).begin(["correct"], READY, 256) is None


def test_targets_and_candidates_take_turns() -> None:
    """Two targets take turns, each with the four other strategies, then again from the first."""
    search = Search([1, 2])
    current: list[Strategy] = ["none", "correct", "none"]
    seen: dict[int, list[Strategy]] = {1: [], 2: []}
    for n in range(10):
        begun = search.begin(current, READY, 256)
        assert begun is not None
        assert begun.target == 1 + n % 2
        seen[begun.target].append(begun.candidate)
        search.end()
    assert seen[1][:4] == ["none", "share", "adversarial", "coral"]
    assert seen[2][:4] == ["share", "correct", "adversarial", "coral"]
    assert seen[1][4] == seen[1][0]


def test_sharing_is_not_challenged_by_none() -> None:
    """After a target's first events `share` and `none` are the same; a trial of sharing starts from the beginning."""
    search = Search([1])
    seen = []
    for _ in range(4):
        begun = search.begin(["none", "share"], READY, 256)
        assert begun is not None
        seen.append(begun.candidate)
        search.end()
    assert seen == ["correct", "adversarial", "coral", "correct"]
    assert "share" in candidates("none")


@pytest.mark.parametrize("size", [10, 256, 1000])
def test_a_rival_learns_a_tenth_of_the_events(size: int) -> None:
    """Nine times the events of a trial pass before the next one, whatever the size of the steps between them."""
    search = Search([1])
    current: list[Strategy] = ["none", "correct"]
    begun = search.begin(current, READY, 256)
    assert begun is not None
    begun.learned(300)
    feed(begun, own=0.0, others=0.0, steps=7)
    search.end()
    waited = 0
    while search.begin(current, READY, size) is None:
        waited += size
    rest = COOLDOWN_FACTOR * begun.events
    assert rest - size <= waited < rest  # the step that begins the next trial has no shadow yet


def test_few_large_steps_are_no_trial() -> None:
    """One step with many target events is no trial, because a strategy needs several steps."""
    one = trial()
    many = 2 * MAX_TRIAL_EVENTS
    for _ in range(MIN_TRIAL_STEPS - 1):
        one.add(np.ones(many, np.int64), np.ones(many), np.ones(many))
        assert one.verdict() == "open"
    one.add(np.ones(many, np.int64), np.ones(many), np.ones(many))
    assert one.verdict() == "worse"


def test_a_state_that_counts_steps_still_loads() -> None:
    """Earlier versions kept the rest in steps of 256 events."""
    state = Search([1]).state()
    del state["rest_events"]
    search = Search([1])
    search.load(state | {"rest": 3})
    assert search.state()["rest_events"] == 768


def test_a_drifted_target_is_aligned_next() -> None:
    """A drifted target is tried next with another aligning strategy; one without sources never is."""
    search = Search([1, 2])
    search.want(2)
    search.want(2)
    search.want(0)
    current: list[Strategy] = ["none", "correct", "adversarial"]
    seen = []
    for _ in range(2):
        begun = search.begin(current, READY, 256)
        assert begun is not None
        seen.append((begun.target, begun.candidate))
        search.end()
    assert seen == [(2, "coral"), (1, "none")]


def test_state_round_trip() -> None:
    """States round-trip, in a trial and between two trials."""
    one = Search([1, 2])
    one.want(1)
    one.want(2)
    current: list[Strategy] = ["none", "correct", "correct"]
    begun = one.begin(current, READY, 256)
    assert begun is not None
    feed(begun, 0.1, 0.0, 3)
    for _ in range(2):
        two = Search([1, 2])
        two.load(one.state())
        assert differences(one.state(), two.state()) == []
        one.end()
        two.end()
        assert differences(one.state(), two.state()) == []
