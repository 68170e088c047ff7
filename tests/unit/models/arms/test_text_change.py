"""A state takes over another encoder's vectors: none of the old ones stays, and what users like is still known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.arms.arm_comparison import ArmComparison
from models.arms.text_change import TextChange
from models.rating.taste_steps import LEADING, taste_variances
from models.tables.catalogue import words_hash
from tests.support.learners.states import read_back
from tests.support.learners.text_worlds import (
    ITEMS,
    Vectors,
    described,
    encoded,
    learn,
    lists,
    new_arms,
    overlap,
    ratings,
)

EVENTS = 1500


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    """Return the state of learners that have learned on the old vectors. Two items have images, too."""
    arms = described(encoded("old"), named=("m0", "m1"))
    learn(arms, 0, EVENTS)
    held: dict[str, Any] = read_back(arms.state())
    return held


def loaded(state: dict[str, Any]) -> ArmComparison:
    arms = new_arms()
    arms.load(state)
    return arms


def changed(state: dict[str, Any], vectors: Vectors, chunk: int = 1000) -> TextChange:
    """Return the change to these vectors, all of which are put."""
    change, keys = TextChange(loaded(state)), list(vectors)
    for start in range(0, len(keys), chunk):
        some = {key: vectors[key] for key in keys[start : start + chunk]}
        texts = {key: f"Title of {key[1]}" for key in some}
        change.put(texts, some, idle=start + chunk >= len(keys))
    return change


def correlation(one: ArmComparison, two: ArmComparison) -> float:
    return float(np.corrcoef(ratings(one), ratings(two))[0, 1])


def test_what_users_like_is_carried_over(state: dict[str, Any]) -> None:
    """With an encoder that sees the same, tastes say nearly the same as before. Without the map they say nothing."""
    before, change = loaded(state), changed(state, encoded("other"))
    bare = correlation(before, change.arms)
    carry = change.finish()
    assert carry.explained > 0.85
    assert correlation(before, change.arms) > 0.95
    assert abs(bare) < 0.5
    assert overlap(lists(before), lists(change.arms)) > 0.75


def variances(arms: ArmComparison) -> np.ndarray:
    """Return the mean variance of each weight on the item vector, over all users with ratings."""
    taste = arms.full.rating.taste
    out = np.zeros(taste.size - LEADING)
    users = np.flatnonzero(taste.arrays.steps)
    for user in users.tolist():
        own = np.zeros_like(out)
        taste_variances(taste.arrays, user, own)
        out += own / len(users)
    return out


def test_a_blind_encoder_brings_back_the_prior(state: dict[str, Any]) -> None:
    """What the new vectors do not explain is forgotten, not kept under a wrong meaning."""
    before, change = loaded(state), changed(state, encoded("blind"))
    assert change.finish().explained < 0.3
    assert (variances(change.arms) > variances(before)).all()
    assert np.abs(ratings(change.arms)).mean() < 0.8 * np.abs(ratings(before)).mean()


def test_no_old_vector_stays(state: dict[str, Any]) -> None:
    """Items have the vectors that they would have if the learner had never known the old encoder, or none."""
    vectors = encoded("other")
    left_out = [("movies", f"m{n}") for n in range(1, ITEMS, 7)]
    some = {key: vector for key, vector in vectors.items() if key not in left_out}
    change = changed(state, some)
    change.finish()
    fresh = described(some, named=("m0", "m1"))
    for old, new, own in zip(
        loaded(state).full.catalogues, change.arms.full.catalogues, fresh.full.catalogues, strict=True
    ):
        for item_id, row in new.ids.items():
            at = own.ids.get(item_id)
            if at is not None:
                assert np.array_equal(new.vectors[row], own.vectors[at]), item_id
            elif item_id == "m1":  # its image stays
                assert new.has_vector[row]
                assert not np.array_equal(new.vectors[row], old.vectors[row])
            else:
                assert not new.has_vector[row], item_id
                assert not new.vectors[row].any()
    assert change.arms.full.intake.projection.width == 56


def test_vectors_come_in_any_chunks_and_the_state_is_whole(state: dict[str, Any]) -> None:
    """A saved and loaded state goes on as the one in memory does."""
    change = changed(state, encoded("other"), chunk=50)
    change.finish()
    again = loaded(read_back(change.arms.state()))
    for arms in (change.arms, again):
        learn(arms, EVENTS, EVENTS + 200)
    assert lists(change.arms) == lists(again)
    assert np.array_equal(ratings(change.arms), ratings(again))


def test_an_item_encoded_by_title_is_encoded_again_with_its_next_event(state: dict[str, Any]) -> None:
    """Only the words of the latest item event count as encoded."""
    change = TextChange(loaded(state))
    key, vectors = ("movies", "m5"), encoded("other")
    assert key in [item.key for item in change.items()]
    change.put({key: "another text"}, {key: vectors[key]}, idle=False)
    catalogue = change.arms.full.catalogues[0]
    row = catalogue.ids.get("m5")
    assert catalogue.encoded[row] == words_hash("another text") != catalogue.words[row]
    change.put({key: "Title of m5"}, {key: vectors[key]}, idle=True)
    assert catalogue.encoded[row] == catalogue.words[row]


def test_the_same_vectors_change_nothing_that_is_seen(state: dict[str, Any]) -> None:
    """Encoding again by the same encoder leaves lists and tastes as they were, but for the small penalty of the map."""
    before, change = loaded(state), changed(state, encoded("old"))
    assert change.finish().explained > 0.99
    assert correlation(before, change.arms) > 0.999
    assert overlap(lists(before), lists(change.arms)) > 0.9
