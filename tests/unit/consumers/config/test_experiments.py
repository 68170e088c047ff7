"""`[experiments]`: what an arm may override, and clear words for what it may not."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from consumers.config.loader import build
from tests.support.configs import refused

DOMAINS: dict[str, Any] = {"movies": {}, "books": {"role": "target"}, "notes": {"recommend": False}}
TEXT = """
[domains.movies]
[domains.books]
role = "target"
[domains.notes]
recommend = false
[ranker]
diversity = 0.1
[experiments.variety]
share = 0.5
weights = {b = 3}
starts = 2026-12-01T08:00:00Z
arms.a = {}
arms.b = {ranker.diversity = 0.4, publish.top = 20, made_by = "full"}
"""


def with_arms(**arms: Any) -> dict[str, Any]:
    return {"domains": DOMAINS, "experiments": {"x": {"arms": arms}}}


def test_an_experiment_from_a_file() -> None:
    """An arm has the config's own values for what it does not override."""
    (one,) = build(tomllib.loads(TEXT)).live_experiments()
    assert (one.name, one.domains, one.unit, one.share) == ("variety", ("movies", "books"), "user", 0.5)
    assert one.starts == 1_796_112_000_000
    assert one.weights == {"a": 0.25, "b": 0.75}
    a, b = one.arms.values()
    assert (a.top, a.explain_top, a.ranker.diversity, a.made_by) == (50, 10, 0.1, None)
    assert (b.top, b.explain_top, b.ranker.diversity, b.made_by) == (20, 10, 0.4, "full")
    assert build(tomllib.loads(TEXT)).ranker.diversity == 0.1


def test_a_key_decides_who_gets_an_arm() -> None:
    """Without it, anybody could choose an id for an arm."""
    raw = with_arms(a={}, b={})
    (plain,) = build(raw).live_experiments()
    (keyed,) = build(raw | {"privacy": {"key": "a secret of some length"}}).live_experiments()
    users = [f"u{n}" for n in range(200)]
    same = sum(plain.arm(user, "movies", 1) == keyed.arm(user, "movies", 1) for user in users)
    assert 60 < same < 140


@pytest.mark.parametrize(
    ("arms", "key", "words"),
    [
        ({"a": {}}, "arms", "at least two"),
        ({"a": {}, "b": {"ranker": {"diversity": 2}}}, "arms.b.ranker.diversity", "in [0, 1]"),
        ({"a": {}, "b": {"ranker": {"diversity": "much"}}}, "arms.b", "float"),
        ({"a": {}, "b": {"ranker": {"depth": 2}}}, "arms.b.ranker.depth", "unknown key"),
        ({"a": {}, "b": {"colour": 2}}, "arms.b.colour", "unknown key"),
        ({"a": {}, "b": {"learner": {"seed": 2}}}, "arms.b.learner.seed", "second learner"),
        (
            {"a": {}, "b": {"adaptation": {"strategy": "none"}}},
            "arms.b.adaptation.strategy",
            "memory and CPU",
        ),
        ({"a": {}, "b": {"redis": {"prefix": "x"}}}, "arms.b.redis.prefix", "whole service"),
        ({"a": {}, "b": {"publish": {"top": 60}}}, "arms.b.publish.top", "at most publish.top, which is 50"),
        ({"a": {}, "b": {"publish": {"top": 0}}}, "arms.b.publish.top", "above 0"),
        ({"a": {}, "b": {"made_by": "magic"}}, "arms.b.made_by", "none of full, target_only"),
        ({"a": {}, "b": {"made_by": "target_only"}}, "arms.b.made_by", "role is target"),
        ({"a": {}, "b/c": {}}, "arms.b/c", "1 to 40 letters"),
    ],
)
def test_what_an_arm_may_not_be(arms: dict[str, Any], key: str, words: str) -> None:
    """The message names the key and what may be done."""
    message = refused(with_arms(**arms))
    assert f"experiments.x.{key}" in message
    assert words in message


@pytest.mark.parametrize(
    ("more", "key", "words"),
    [
        ({"share": 0}, "share", "above 0"),
        ({"share": 1.5}, "share", "at most 1"),
        ({"weights": {"c": 1}}, "weights.c", "no such arm; there are a, b"),
        ({"weights": {"a": 0}}, "weights.a", "above 0"),
        ({"domains": ["films"]}, "domains", "films is not in the config"),
        ({"domains": ["notes"]}, "domains", "recommend is false"),
        ({"unit": "list", "starts": "2026-12-01T08:00:00Z"}, "starts", "nothing was before"),
        ({"unit": "session"}, "unit", "none of user, list"),
        ({"starts": "2026-12-01T08:00:00"}, "starts", "timezone"),
        ({"until": 3}, "until", "unknown key"),
    ],
)
def test_what_an_experiment_may_not_be(more: dict[str, Any], key: str, words: str) -> None:
    raw = with_arms(a={}, b={})
    raw["experiments"]["x"] |= more
    message = refused(raw)
    assert f"experiments.x.{key}" in message
    assert words in message


def test_a_domain_is_in_one_experiment() -> None:
    """Two with domains of their own are fine."""
    arms = {"arms": {"a": {}, "b": {}}}
    apart = {"x": arms | {"domains": ["movies"]}, "y": arms | {"domains": ["books"]}}
    assert len(build({"domains": DOMAINS, "experiments": apart}).live_experiments()) == 2
    message = refused({"domains": DOMAINS, "experiments": {"x": arms, "y": arms | {"domains": ["books"]}}})
    assert "experiments.y.domains: books is in experiment x already" in message
