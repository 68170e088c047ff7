"""Candidates of a service's own, ranked from what is published."""

from __future__ import annotations

from serving.client.questions.scoring import Candidate, ranked


def order(*args: object) -> list[str]:
    return [item.id for item in ranked(*args)]  # type: ignore[arg-type]


def test_affinity_and_popularity_add_up() -> None:
    """The nearest is first among equally popular items, the most popular among equally near ones."""
    near, far = [1.0, 0.0], [0.0, 1.0]
    user = [1.0, 0.0]
    assert order(user, [Candidate("far", far, 5.0), Candidate("near", near, 5.0)], {}) == ["near", "far"]
    assert order(user, [Candidate("few", near, 1.0), Candidate("many", near, 9.0)], {}) == ["many", "few"]
    assert order(None, [Candidate("few", near, 1.0), Candidate("many", far, 9.0)], {}) == ["many", "few"]


def test_the_users_list_comes_first_in_its_order() -> None:
    """Whatever the vectors say; scores above 1 tell which items are on it."""
    candidates = [Candidate("a", [1.0], 9.0), Candidate("b", [-1.0], 1.0), Candidate("c", [0.5], 4.0)]
    found = ranked([1.0], candidates, {"b": 0, "x": 1, "c": 2})
    assert [item.id for item in found] == ["b", "c", "a"]
    assert [item.score > 1 for item in found] == [True, True, False]


def test_what_the_store_does_not_have_comes_last() -> None:
    """And says so. Its score is 0, as that of the worst item that is known, which stands before it."""
    candidates = [Candidate("new", None, None), Candidate("a", [-1.0], 1.0), Candidate("b", [1.0], 1.0)]
    found = ranked([1.0], candidates, {})
    assert [(item.id, item.known) for item in found] == [("b", True), ("a", True), ("new", False)]
    assert (found[0].score, found[-1].score) == (1.0, 0.0)


def test_no_candidates() -> None:
    assert ranked([1.0], [], {}) == []


def test_one_candidate_and_equal_ones() -> None:
    """Nothing to compare: the given order stays."""
    assert order([1.0], [Candidate("a", [1.0], 1.0)], {}) == ["a"]
    same = [Candidate(name, [1.0], 1.0) for name in "xyz"]
    assert order([1.0], same, {}) == ["x", "y", "z"]
