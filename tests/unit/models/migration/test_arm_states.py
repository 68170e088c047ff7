"""A state loads under another config, whose domains come, go, move or change their role."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from models.arms.arm_comparison import ArmComparison
from models.schema import Domain, Interaction
from models.settings import AdaptationSettings
from tests.support.learners.history_states import early
from tests.support.learners.moved_arms import (
    BOOKS,
    GAMES,
    MOVIES,
    START,
    describe,
    events,
    goes_on,
    learn,
    made,
    saved,
    taken_up,
    taught,
)
from tests.support.learners.rating_states import as_before, beliefs
from tests.support.learners.single_ratings import ResolvedEvent, predict
from tests.support.learners.states import differences

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def three() -> ArmComparison:
    return taught([MOVIES, BOOKS, GAMES])


def test_the_same_config_needs_nothing(three: ArmComparison) -> None:
    again, notes = taken_up(three, [MOVIES, BOOKS, GAMES])
    assert notes == []
    assert differences(three.state(), again.state()) == []


ORDERS = [[GAMES, MOVIES, BOOKS], [BOOKS, GAMES, MOVIES]]


def network(path: str) -> bool:
    return ".network." in path


@pytest.mark.parametrize("domains", ORDERS)
def test_domains_in_another_order_are_as_if_they_had_always_been(
    three: ArmComparison, domains: list[Domain]
) -> None:
    """Every table of the fast path is equal bit for bit; the network's random draws depend on the order of domains."""
    moved, notes = taken_up(three, domains)
    assert notes == ["what was learned of " + ", ".join(d.name for d in domains) + " is taken over"]
    direct = taught(domains)
    one, other = moved.state(), direct.state()
    unlike = differences(
        one, other, lambda p: network(p) or p.startswith((".prequential", ".guard", ".loop"))
    )
    # The adaptation of ranks and ratings to the network's own part differs with its draws.
    unlike = [path for path in unlike if not any(part in path for part in HEARS_THE_NETWORK)]
    assert unlike == []


HEARS_THE_NETWORK = (
    ".rating.bias", ".rating.prior", ".rating.taste", ".rating.records",
    ".choices", ".ranker.alone", ".slow", ".evicted",
)  # fmt: skip


@pytest.mark.parametrize("domains", ORDERS)
def test_domains_in_another_order_say_the_same(three: ArmComparison, domains: list[Domain]) -> None:
    """Predictions, ranks, lists and vectors are equal; after a move there and back, every bit but the search is."""
    moved, _ = taken_up(three, domains)
    for event in events(domains, 400, 430):
        one, other = three.full.score(event), moved.full.score(event)
        assert one.rank == other.rank
        assert one.prediction == pytest.approx(other.prediction, abs=1e-5)
    for domain in domains:
        users = [None, *(f"u{n}" for n in range(20))]
        told = [[line.item_id for line in lines] for lines in three.recommend(users, domain.name, 8)]
        assert told == [[line.item_id for line in lines] for lines in moved.recommend(users, domain.name, 8)]
        assert three.report(domain.name) == pytest.approx(moved.report(domain.name), rel=1e-4, abs=1e-5)
    back, _ = taken_up(moved, [MOVIES, BOOKS, GAMES])
    assert differences(three.state(), back.state(), lambda p: ".contest." in p) == []
    goes_on(moved, domains)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_new_domain_starts_new_and_the_others_go_on(place: int) -> None:
    before = taught([MOVIES, BOOKS])
    domains = [MOVIES, BOOKS]
    domains.insert(place, GAMES)
    after, notes = taken_up(before, domains)
    assert notes[1:] == ["games is new and starts new", "games: its target-only learner starts empty"]
    for event in events([MOVIES, BOOKS], 400, 430):
        one, other = before.full.score(event), after.full.score(event)
        assert (one.rank, one.prediction) == (other.rank, pytest.approx(other.prediction, abs=1e-5))
    assert after.full.learned[place] == 0
    assert sum(after.full.learned) == sum(before.full.learned)
    describe(after, [GAMES])
    goes_on(after, domains)


@pytest.mark.parametrize("gone", [MOVIES, BOOKS, GAMES])
def test_a_domain_that_is_gone_leaves_the_others(three: ArmComparison, gone: Domain) -> None:
    """Nothing names a removed domain; users keep what they did elsewhere, in order."""
    left = [d for d in (MOVIES, BOOKS, GAMES) if d != gone]
    after, notes = taken_up(three, left)
    assert f"{gone.name} is not in the config any more: what was learned of it alone is dropped" in notes
    assert mentions(after.state(), gone.name) == []
    old, new = three.full, after.full
    assert old.history.events.sum(1).max() > 2 * old.history.length
    for user, row in old.users.items():
        assert new.users.get(user) == row
        had, has = (
            [(learner.domains[d].name, r, t) for d, r, t in zip(*map(np.ndarray.tolist, recent), strict=True)]
            for learner, recent in ((old, old.history.recent(row)), (new, new.history.recent(row)))
        )
        assert has == [entry for entry in had if entry[0] != gone.name]
        for d in left:
            assert old.events_of(user)[d.name] == new.events_of(user)[d.name]
        vectors = new.history.newest([row, row], 30)[0]
        assert [int(r) for d, r, _ in vectors if d >= 0] == [r for _, r, _ in has[::-1]][:30]
    goes_on(after, left)


def mentions(value: Any, name: str, path: str = "") -> list[str]:
    """Return the paths of strings and keys in a state that name a domain."""
    if isinstance(value, dict):
        here = [f"{path}.{key}" for key in value if isinstance(key, str) and name in key]
        return here + [m for key, part in value.items() for m in mentions(part, name, f"{path}.{key}")]
    if isinstance(value, list):
        return [m for n, part in enumerate(value) for m in mentions(part, name, f"{path}.{n}")]
    return [path] if isinstance(value, str) and name in value and not value.startswith("{") else []


def test_a_removed_domain_that_comes_back_is_new(three: ArmComparison) -> None:
    """A removed domain that comes back is new, also among the users' latest items."""
    without, _ = taken_up(three, [MOVIES, BOOKS])
    again, notes = taken_up(without, [GAMES, MOVIES, BOOKS])
    assert "games is new and starts new" in notes
    assert not any(again.full.events_of(f"u{n}")["games"] for n in range(20))
    assert not any((again.full.history.recent(row).domain == 0).any() for _, row in again.full.users.items())
    goes_on(again, [GAMES, MOVIES, BOOKS])


ROLES: list[tuple[list[Domain], str]] = [
    ([MOVIES, Domain("books", "both"), GAMES], "books had the role target and has the role both now"),
    ([Domain("movies", "target"), BOOKS, GAMES], "movies had the role source and has the role target now"),
    ([MOVIES, BOOKS, Domain("games", "source")], "games had the role both and has the role source now"),
    ([MOVIES, Domain("books", "source"), GAMES], "books had the role target and has the role source now"),
]


@pytest.mark.parametrize(("domains", "note"), ROLES)
def test_a_changed_role_keeps_what_was_learned(
    three: ArmComparison, domains: list[Domain], note: str
) -> None:
    """After a change of roles predictions stay; arms, sources and the search are those of the new roles."""
    after, notes = taken_up(three, domains)
    assert note in notes
    for event in events(domains, 400, 430):
        one, other = three.full.score(event), after.full.score(event)
        assert (one.rank, one.prediction) == (other.rank, pytest.approx(other.prediction, abs=1e-6))
    targets = [n for n, d in enumerate(domains) if d.is_target]
    assert list(after.full.target_only) == list(after.full.ranker.target_only) == targets
    assert set(after.full.network.trainer.adapter.divergence) == {
        n for n, d in enumerate(domains) if d.is_target
    }
    goes_on(after, domains)


@pytest.mark.parametrize("recommend", [False, True])
def test_lists_may_be_switched_on_and_off(recommend: bool) -> None:
    def with_lists(on: bool) -> list[Domain]:
        return [msgspec.structs.replace(MOVIES, recommend=on), BOOKS]

    after, notes = taken_up(taught(with_lists(not recommend)), with_lists(recommend))
    assert notes == []
    learn(after, events([MOVIES, BOOKS], 400, 450))
    assert after.recommend(["u1"], "movies", 8)[0]


def test_a_changed_rating_range_is_told_and_kept_as_shares_of_it(three: ArmComparison) -> None:
    """With a new range 5 of 5 becomes 10 of 10, and a note says so."""
    wide = msgspec.structs.replace(BOOKS, rating_range=(0.0, 10.0))
    after, notes = taken_up(three, [MOVIES, wide, GAMES])
    assert len(notes) == 1
    assert notes[0].startswith("rating_range of books was [1, 5] and is [0, 10]: ")
    assert "predicted as 5 is 10 now" in notes[0]
    parts = [
        predict(one.full.rating, ResolvedEvent(1, 3, 3, one.full.catalogues[1].vectors[3], (), 0.0))
        for one in (three, after)
    ]
    assert (parts[0].total - 1) / 4 == pytest.approx(parts[1].total / 10)


def test_no_domain_in_both_is_refused(three: ArmComparison) -> None:
    with pytest.raises(ValueError, match=r"the state holds the domains .*: none is in both"):
        made([Domain("music", "target")]).load(three.state())


SETTINGS_CHANGES: list[tuple[dict[str, Any], list[str]]] = [
    ({"users": 300, "items_per_domain": 300}, []),
    (
        {"users": 10, "items_per_domain": 300},
        ["learner.users is 10, but the state has 20 rows; they stay"],
    ),
    (
        {"items_per_domain": 12},
        [
            f"learner.items_per_domain of {d} is 12, but the state has 40 rows; they stay"
            for d in ("movies", "books", "games")
        ],
    ),
    ({"seed": 3, "exact_items": 10}, []),
    ({"adaptation": AdaptationSettings("share", enabled=False)}, []),
]


@pytest.mark.parametrize(("change", "expected"), SETTINGS_CHANGES)
def test_other_settings_go_on(three: ArmComparison, change: dict[str, Any], expected: list[str]) -> None:
    """Larger tables hold more; smaller ones keep the rows that were given out, and give no new ones."""
    after, notes = taken_up(three, [MOVIES, BOOKS, GAMES], **change)
    assert notes == expected
    newcomers = [
        msgspec.structs.replace(e, user=f"v{n % 40}")
        for n, e in enumerate(events([MOVIES, BOOKS, GAMES], 400, 520))
    ]
    learn(after, newcomers)
    rows = [row for _, row in after.full.users.items()]
    assert len(set(rows)) == len(rows) <= max(change.get("users", 24), 20)
    assert after.recommend(["v1"], "books", 8)[0]


def unreadable(state: list[Any]) -> None:
    state[0] = b"\x80\x05 bytes of another version"


def incomplete(state: list[Any]) -> None:
    """Replace a detector by one that can be read, but lacks a field."""
    state[0] = pickle.dumps(object())


@pytest.mark.parametrize("damage", [unreadable, incomplete])
def test_a_detector_that_river_cannot_read_begins_anew(
    three: ArmComparison, damage: Callable[[list[Any]], None]
) -> None:
    """Such a detector is reported and starts again; the others and everything learned go on."""
    state = saved(three)
    names = [name for name in state["loop"]["drift"] if name.startswith("books")]
    damage(state["loop"]["drift"][names[0]])
    after = made([MOVIES, BOOKS, GAMES])
    notes = after.load(state)
    assert len(notes) == 1
    assert "books: the drift detector" in notes[0]
    assert differences(three.full.state(), after.full.state()) == []
    learn(after, events([MOVIES, BOOKS, GAMES], 400, 450))


@pytest.mark.parametrize("before", [False, True], ids=["by row", "by name, from before"])
def test_weights_of_a_domain_that_is_gone_go_by_their_kind(before: bool) -> None:
    """A user or item with the name of the domain keeps its state elsewhere."""
    named = taught([MOVIES, GAMES])
    learn(named, [Interaction("movies", "rating", "games", "games", START + 10**9, 4.0, None, ("games:1",))])
    state = named.state()
    if before:
        state["full"]["rating"] = as_before(named.full.rating)
    after = made([MOVIES])
    after.load(state)
    kept = {name for name in after.full.rating.bias.cells.names() if "games" in name}
    assert kept == {
        "user:games", "user@domain:movies:games", "item:movies:games", "context:games:1",
        "context@domain:movies:games:1",
    }  # fmt: skip
    for name in after.full.rating.bias.cells.names():
        assert after.full.rating.bias.weight(name) == named.full.rating.bias.weight(name)
        assert after.full.rating.bias.variance(name) == named.full.rating.bias.variance(name)


def test_ratings_of_before_are_moved_like_those_of_now(three: ArmComparison) -> None:
    """Biases by name and whole covariances, in another order of domains: every bit but the form of tastes."""
    state, order = three.state(), [GAMES, MOVIES, BOOKS]
    state["full"]["rating"] = as_before(three.full.rating)
    moved, now = made(order), made(order)
    moved.load(state)
    now.load(three.state())
    ratings = [arms.full.rating.state() for arms in (moved, now)]
    others = (".bias.context.names", ".taste.")
    assert differences(*ratings, ignore=lambda path: path.startswith(others)) == []
    one, other = (beliefs(arms.full.rating.taste) for arms in (moved, now))
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], atol=1e-6)


@pytest.mark.parametrize("left", [[MOVIES, BOOKS, GAMES], [GAMES, MOVIES], [BOOKS]])
def test_rings_of_before_are_moved_like_those_of_now(three: ArmComparison, left: list[Domain]) -> None:
    """Full rings for every user, in another order of domains, or without some of them: every bit."""
    state = three.state()
    state["full"]["history"] = early(three.full.history)
    moved, now = made(left[::-1]), made(left[::-1])
    moved.load(state)
    now.load(three.state())
    assert differences(moved.full.history.state(), now.full.history.state()) == []
    assert len(now.full.history.state()["recent"]["row"]) > 100
