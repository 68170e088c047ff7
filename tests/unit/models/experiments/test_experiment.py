"""Which arm a unit gets: stable, as planned, and the same for all who ask."""

from __future__ import annotations

from collections import Counter

from models.experiments.experiment import Experiment, ListSettings
from models.settings import RankerSettings

SAME = ListSettings(10, 10, RankerSettings())
HALVES = {"a": 0.5, "b": 0.5}
BY_USER = Experiment("size", ("movies", "books"), "user", {"a": SAME, "b": SAME}, HALVES, 0.2, 1000)
USERS = [f"user-{n}" for n in range(10_000)]


def test_a_user_keeps_their_arm() -> None:
    """In all domains, at all times after the start, and when the share grows."""
    few = {user: BY_USER.arm(user, "movies", 1000) for user in USERS}
    assert few == {user: BY_USER.arm(user, "books", 9999) for user in USERS}
    many = {user: BY_USER._replace(share=0.6).arm(user, "movies", 1000) for user in USERS}
    assert all(many[user] == arm for user, arm in few.items() if arm is not None)
    assert all(BY_USER.arm(user, "movies", 999) is None for user in USERS)
    counts = Counter(few.values())
    assert abs(counts["a"] - 1000) < 120
    assert abs(counts["b"] - 1000) < 120


def test_lists_of_one_user_have_arms_of_their_own() -> None:
    """Half of them each."""
    one = BY_USER._replace(unit="list", share=1.0, starts=0)
    counts = Counter(one.arm("user-1", "movies", 1000 + n) for n in range(2000))
    assert abs(counts["a"] - 1000) < 90
    assert counts["a"] + counts["b"] == 2000


def test_the_identity_changes_with_what_totals_rest_on() -> None:
    """Not with the share, and not with the secret key."""
    other = ListSettings(10, 10, RankerSettings(diversity=0.3))
    changed = [
        BY_USER._replace(name="order"),
        BY_USER._replace(arms={"a": SAME, "b": other}),
        BY_USER._replace(weights={"a": 0.1, "b": 0.9}),
        BY_USER._replace(domains=("movies",)),
        BY_USER._replace(starts=2000),
        BY_USER._replace(unit="list"),
    ]
    assert len({one.identity for one in (BY_USER, *changed)}) == 7
    assert BY_USER._replace(share=0.3).identity == BY_USER._replace(key=b"x").identity == BY_USER.identity > 0
