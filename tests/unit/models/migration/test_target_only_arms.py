"""Target-only arms go on under another config, and begin anew with early states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from models.arms.arm_comparison import ArmComparison
from models.arms.arm_selector import NAMES
from models.schema import Domain
from models.tables.decayed_counts import BY_EVENTS, EVER, RATES
from tests.support.learners.moved_arms import (
    BOOKS,
    GAMES,
    MOVIES,
    START,
    describe,
    events,
    goes_on,
    made,
    saved,
    taken_up,
    taught,
)
from tests.support.learners.states import differences

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def three() -> ArmComparison:
    return taught([MOVIES, BOOKS, GAMES])


@pytest.mark.parametrize("domains", [[MOVIES, BOOKS, GAMES], [GAMES, MOVIES, BOOKS], [BOOKS, MOVIES]])
def test_target_only_arms_go_along(three: ArmComparison, domains: list[Domain]) -> None:
    """A target-only arm moves with its domain, bit for bit."""
    after, _ = taken_up(three, domains)
    for name in ("books", "games"):
        if name in after.full.index:
            before, now = (arms.full.index[name] for arms in (three, after))
            for one, other in (
                (three.full.target_only[before], after.full.target_only[now]),
                (three.full.ranker.target_only[before], after.full.ranker.target_only[now]),
            ):
                assert differences(one.state(), other.state()) == []


def test_a_target_only_arm_that_is_new_knows_the_items(three: ArmComparison) -> None:
    """A new target-only arm has the full learner's rows, so its lists are filled before it has learned."""
    after, notes = taken_up(three, [Domain("movies", "target"), BOOKS, GAMES])
    assert "movies: its target-only learner starts empty" in notes
    assert after.full.target_only[0].state()["counts"].tolist() == [0]
    assert not after.full.ranker.target_only[0].users.row_of.any()
    assert all(len(lines) == 8 for lines in after.full.recommend([None, "u3"], "movies", 8, target_only=True))


def test_a_learner_that_knew_one_domain_is_its_target_only_learner() -> None:
    before = taught([BOOKS])
    after, notes = taken_up(before, [BOOKS, MOVIES])
    assert "books: what was learned so far is its target-only learner, too" in notes
    assert differences(before.full.rating.state(), after.full.target_only[0].state()) == []
    assert differences(before.full.ranker.choices[0].state(), after.full.ranker.target_only[0].state()) == []
    describe(after, [MOVIES])
    goes_on(after, [BOOKS, MOVIES])


def of_before(arms: ArmComparison) -> dict[str, Any]:
    """Return a state from when every target had a second learner of its own, and counts were logarithms."""
    state = saved(arms)
    full = state["full"]
    state["alone"] = {name: {"domains": [name]} for name in full.pop("alone")}
    del full["ranker"]["alone"]
    statistics = arms.full.ranker.statistics
    for n, popularity in enumerate(statistics.popularity):
        logs = np.full(popularity.counts.shape, -np.inf)
        known = popularity.counts[:, EVER] > 0
        passed = RATES * (popularity.newest - START / 1000)
        passed[BY_EVENTS] = RATES[BY_EVENTS] * popularity.events
        logs[known] = np.log(popularity.values(np.flatnonzero(known), 0.0)) + passed
        full["ranker"]["signals"]["popularity"][n] = {
            "start": START / 1000, "newest": popularity.newest, "events": popularity.events, "logs": logs,
            "first": np.where(known, popularity.first, np.nan), "_top": popularity.top_rows[:, : popularity.held],
        }  # fmt: skip
    for index in (*(c["directions"]["index"] for c in full["catalogues"]),
                  *(v["index"] for v in full["network"]["vectors"].values())):  # fmt: skip
        for name in ("limit", "list_of", "loose"):
            del index[name]
    return state


def test_a_state_of_before_goes_on_without_its_second_learners(three: ArmComparison) -> None:
    """Predictions, ranks and lists are the same; target-only arms begin anew and are not followed."""
    state, after = of_before(three), made([MOVIES, BOOKS, GAMES])
    for bucket in NAMES:
        state["guard"][f"books\t{bucket}\tranking"] = {"followed": "target_only", "events": 500, "tests": {}}
    notes = after.load(state)
    assert [note for note in notes if "target-only" in note] == [
        f"{name}: its target-only learner starts empty" for name in ("books", "games")
    ]
    assert after.moved
    assert after.serving("u1", "books").arm == "full"
    assert after.prequential.error("books", "rmse", "target_only") is None
    assert after.prequential.error("books", "rmse", "full") == three.prequential.error(
        "books", "rmse", "full"
    )
    for event in events([MOVIES, BOOKS, GAMES], 400, 430):
        one, other = three.full.score(event), after.full.score(event)
        assert (one.rank, one.prediction) == (other.rank, other.prediction)
    users = [None, *(f"u{n}" for n in range(20))]
    for name in ("movies", "books", "games"):
        told, wanted = (
            [[line.item_id for line in lines] for lines in arms.full.recommend(users, name, 8)]
            for arms in (after, three)
        )
        assert told == wanted
    goes_on(after, [MOVIES, BOOKS, GAMES])


def test_a_state_of_before_in_another_order(three: ArmComparison) -> None:
    moved, now = made([GAMES, MOVIES, BOOKS]), made([GAMES, MOVIES, BOOKS])
    notes = moved.load(of_before(three))
    assert "games: its target-only learner starts empty" in notes
    now.load(three.state())
    for event in events([MOVIES, BOOKS, GAMES], 400, 420):
        one, other = now.full.score(event), moved.full.score(event)
        assert (one.rank, one.prediction) == (other.rank, other.prediction)
    goes_on(moved, [GAMES, MOVIES, BOOKS])


def test_nobody_is_served_by_an_arm_that_has_just_begun(three: ArmComparison) -> None:
    """A selector that followed the target-only arm begins with the full one if that arm is gone or new."""
    followed = saved(three)
    for bucket in NAMES:
        followed["guard"][f"books\t{bucket}\tranking"] = {
            "followed": "target_only", "events": 500, "tests": {"full": {"count": 40}}
        }  # fmt: skip
    without = made([MOVIES, BOOKS, GAMES], compare=False)
    without.load(followed)
    assert without.serving("u1", "books").arm == "full"
    again, _ = taken_up(without, [MOVIES, BOOKS, GAMES])
    assert again.serving("u1", "books").arm == "full"
    source = made([MOVIES, Domain("books"), GAMES])
    source.load(followed)
    assert source.serving("u1", "books").arm == "full"
    goes_on(source, [MOVIES, Domain("books"), GAMES])
