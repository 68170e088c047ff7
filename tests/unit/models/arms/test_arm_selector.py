"""The arm selector leaves an arm that is worse, keeps one that is not, and repeats its tests, so it may change back."""

from __future__ import annotations

import numpy as np

from models.arms.arm_selector import EPOCH, NAMES, ArmSelector
from models.settings import ARMS
from tests.support.store.following import bucket


def feed(selector: ArmSelector, n: int, full: float, alone: float, seed: int = 0, name: str = "0") -> float:
    """Return the loss of the followed arm, over n events with these mean losses, in batches of 7."""
    noise, other = np.random.default_rng(seed).normal(0.0, 0.5, (n, 2)).T
    losses = np.full((n, len(ARMS)), np.nan)
    losses[:, ARMS.index("full")] = full + noise
    losses[:, ARMS.index("target_only")] = alone + noise + 0.2 * other
    places = np.full(n, NAMES.index(name))
    return sum(
        float(selector.judge("d", "rating", places[k : k + 7], losses[k : k + 7]).sum())
        for k in range(0, n, 7)
    )


def test_buckets() -> None:
    """The buckets are 0, 1 to 4, 5 to 19, and 20 or more earlier events."""
    assert [bucket(n) for n in (0, 1, 4, 5, 19, 20, 999)] == ["0", "1-4", "1-4", "5-19", "5-19", "20+", "20+"]


def test_follows_full_at_first_and_as_long_as_it_is_no_worse() -> None:
    selector = ArmSelector()
    assert selector.choice("d", "0", "rating") == "full"
    feed(selector, 5000, 1.0, 1.0)
    assert selector.choice("d", "0", "rating") == "full"


def test_leaves_a_harmful_arm_soon_and_only_there() -> None:
    """An arm that is worse by 0.1, at deviation 0.1, is left within a few hundred events."""
    selector = ArmSelector()
    lost = feed(selector, 3000, 1.1, 1.0)
    best = feed(ArmSelector(), 3000, 1.0, 1.0)
    assert selector.choice("d", "0", "rating") == "target_only"
    assert lost - best < 0.1 * 300
    assert selector.choice("d", "1-4", "rating") == selector.choice("d", "0", "ranking") == "full"
    assert selector.choices() == {("d", "0", "rating"): "target_only"}


def test_comes_back_when_the_world_changes() -> None:
    """A long good time does not hide a later change, because tests begin anew every epoch."""
    selector = ArmSelector()
    feed(selector, 3 * EPOCH, 1.1, 1.0)
    feed(selector, EPOCH + 1000, 1.0, 1.1, seed=1)
    assert selector.choice("d", "0", "rating") == "full"


def test_an_event_that_the_followed_arm_did_not_judge_counts_for_none() -> None:
    selector = ArmSelector()
    lost = selector.judge("d", "rating", np.array([0]), np.array([[np.nan, 1.0, np.nan, np.nan]]))
    assert np.isnan(lost).all()
    assert selector.choices() == {}


def test_state_round_trips() -> None:
    """A restored selector decides at the same event."""
    one, two = ArmSelector(), ArmSelector()
    feed(one, 100, 1.1, 1.0)
    two.load(one.state())
    assert two.state() == one.state()
    assert feed(one, 400, 1.1, 1.0, seed=3) == feed(two, 400, 1.1, 1.0, seed=3)
    assert two.state() == one.state()
