"""The approximate index finds near rows while rows come, move and go, and a loaded copy finds the same."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.state.tracked_tables import full_state
from models.text.inverted_lists import FILLS, LOOSE, VectorIndex
from models.text.nearest import Searched, nearest, room_to_find, take_best
from tests.support.learners.nearest import top
from tests.support.learners.states import differences

torch.set_num_threads(1)  # the state law holds for one thread

ROWS, DIM = 3000, 16


def clustered(rows: int = ROWS, seed: int = 0) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(60, DIM))
    vectors: NDArray[np.float32] = centres[random.integers(60, size=rows)] + 0.5 * random.normal(
        size=(rows, DIM)
    )
    return vectors.astype(np.float32)


def filled(vectors: NDArray[np.float32], limit: int = 100) -> VectorIndex:
    index = VectorIndex(DIM, limit)
    index.all_changed(vectors)
    return index


def everything(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.ones(len(vectors), np.bool_)


def exact(scores: NDArray[np.float32], allowed: NDArray[np.bool_], k: int) -> set[int]:
    rows = np.flatnonzero(allowed & (scores != 0))
    return set(rows[np.argsort(-scores[rows])[:k]].tolist())


@pytest.mark.parametrize("k", [1, 2, 7, 30, 250])
@pytest.mark.parametrize("kinds", [3, 10_000])
def test_the_best_offers_are_the_head_of_a_sort(k: int, kinds: int) -> None:
    """The best offers are those of a stable sort, in the order of the offers, with few kinds of scores too."""
    random, found = np.random.default_rng(k), room_to_find(k, 200)
    scores = (random.integers(0, kinds, 200) / kinds - 0.5).astype(np.float32)
    found.scores[:], found.read[:] = scores, np.arange(200) + 7
    taken = take_best(found, 200, k, found.rows)
    expected = np.sort(np.argsort(-scores, kind="stable")[:k]) + 7
    assert found.rows[:taken].tolist() == expected.tolist()


def test_a_query_that_is_not_finite_is_near_to_none() -> None:
    vectors = clustered()
    query = np.full(DIM, np.nan, np.float32)
    assert top(filled(vectors), vectors, query, everything(vectors), 30) == []
    assert top(filled(vectors, limit=10_000), vectors, query, everything(vectors), 30) == []


@pytest.mark.parametrize("rows", [5, 30, 700])
def test_without_an_index_the_nearest_are_the_head_of_a_full_sort(rows: int) -> None:
    """Without an index the nearest are the head of a full sort, without closed, marked and empty rows."""
    random, vectors = np.random.default_rng(rows), clustered(rows)
    vectors[random.random(rows) < 0.1] = 0
    allowed, closed = random.random(rows) < 0.7, random.integers(0, 4, rows).astype(np.int32)
    lists = filled(vectors, limit=1000).lists(vectors, rows)
    for query in clustered(20, 1):
        found = room_to_find(30, rows)
        near = nearest(query, Searched(vectors, lists, allowed, closed, 2), found)
        assert set(found.rows[:near].tolist()) == exact(vectors @ query, allowed & (closed != 2), 30)


def test_finds_nearly_all_of_the_highest() -> None:
    """The index finds nearly all of the 30 highest dot products, over 100 queries."""
    vectors, allowed = clustered(), everything(clustered())
    index = filled(vectors)
    assert index.in_use
    hits = [
        len(set(top(index, vectors, q, allowed, 30)) & exact(vectors @ q, allowed, 30))
        for q in clustered(100, 1)
    ]
    assert np.mean(hits) / 30 > 0.9


def test_only_allowed_rows_and_no_zero_vectors() -> None:
    vectors = clustered()
    vectors[::3] = 0
    index, allowed = filled(vectors), everything(vectors)
    allowed[1::3] = False
    found = np.array(top(index, vectors, vectors[2], allowed, 500))
    assert len(found)
    assert (found % 3 == 2).all()
    allowed[:] = False
    assert top(index, vectors, vectors[2], allowed, 5) == []


@pytest.mark.parametrize("moves", [1, 3])
def test_rows_come_move_and_go(moves: int) -> None:
    """A changed row is found at its new place only; a new row is found, a row without a vector is not."""
    vectors = clustered()
    index = filled(vectors)
    vectors = np.concatenate([vectors, vectors[7:8] * 9])
    vectors[5], vectors[6] = vectors[7] * 10, 0
    for _ in range(moves):  # a row that moves many times is held once
        index.changed(np.array([5, 6, ROWS]))
    allowed = everything(vectors)
    found = top(index, vectors, vectors[7], allowed, 10)
    assert {5, ROWS} <= set(found)
    assert len(set(found)) == len(found) == 10
    assert 6 not in top(index, vectors, clustered()[6], allowed, len(vectors))


def test_what_was_changed_does_not_stay_loose_for_ever() -> None:
    """Above a bound changed rows are put into the lists, where they are found as well."""
    vectors = clustered()
    index, allowed = filled(vectors), everything(vectors)
    changed = np.arange(LOOSE + 1)
    vectors[changed] = vectors[changed][::-1].copy()
    index.changed(changed)
    assert len(index.lists(vectors, ROWS).loose) == 0
    index.changed(changed[:9])
    assert index.lists(vectors, ROWS).loose.tolist() == list(range(9))
    hits = [
        len(set(top(index, vectors, q, allowed, 9)) & exact(vectors @ q, allowed, 9))
        for q in clustered(50, 1)
    ]
    assert np.mean(hits) / 9 > 0.9


def test_what_comes_and_goes_while_all_drift_is_found_and_not_found() -> None:
    """When all vectors drift, and one comes and one goes, the lists are not rebuilt, and searches are right."""
    vectors = clustered()
    vectors[5] = 0
    index, allowed = filled(vectors), everything(vectors)
    vectors[5], vectors[6] = vectors[7] * 10, 0
    index.all_changed(vectors)
    assert index.lists(vectors, ROWS).loose.tolist() == [5, 6]
    assert 5 in top(index, vectors, vectors[7], allowed, 3)
    assert 6 not in top(index, vectors, clustered()[6], allowed, ROWS)


def test_every_row_with_a_vector_is_in_one_list() -> None:
    vectors = clustered()
    vectors[::7] = 0
    index = filled(vectors)
    index.changed(np.array([1, 2, 7]))
    lists = index.lists(vectors, ROWS)
    listed = [lists.members[a:b].tolist() for a, b in itertools.pairwise(lists.begin.tolist())]
    held = [row for members in listed for row in members] + lists.loose.tolist()
    assert sorted(held) == sorted({*np.flatnonzero(vectors.any(1)).tolist(), 7})
    assert len(listed) == len(lists.centres)


def test_up_to_the_limit_there_is_no_index() -> None:
    """Up to the limit all rows are searched; reserved rows do not count."""
    vectors = clustered(100)
    index = filled(vectors, limit=100)
    assert not index.in_use
    more = clustered(101)
    index.all_changed(more)
    assert index.in_use
    more[50:] = 0
    index.all_changed(more)
    assert not index.in_use
    assert set(top(index, more, more[3], everything(more), 10)) == exact(more @ more[3], everything(more), 10)


def test_a_copy_from_the_state_finds_the_same() -> None:
    """A copy from the state finds the same, at once and after many more changes."""
    vectors = clustered()
    index = filled(vectors)
    for n in range(40):
        vectors[n * 7 : n * 7 + 50] += 0.5
        index.changed(np.arange(n * 7, n * 7 + 50))
        top(index, vectors, vectors[n], everything(vectors), 3)
    vectors[100:140] *= 2  # not moved yet when the state is taken
    index.changed(np.arange(100, 140))
    other = VectorIndex(DIM, 100)
    other.load(full_state(index.state()), vectors)
    for n in range(FILLS + 3):
        for query in clustered(20, n):
            assert top(index, vectors, query, everything(vectors), 30) == top(
                other, vectors, query, everything(vectors), 30
            )
        vectors += np.float32(0.1) * clustered(ROWS, n)
        index.all_changed(vectors)
        other.all_changed(vectors)
    assert not differences(full_state(index.state()), full_state(other.state()))


def test_a_state_from_a_smaller_limit_is_exact_again() -> None:
    vectors = clustered(200)
    other = VectorIndex(DIM, 1000)
    other.load(full_state(filled(vectors).state()), vectors)
    assert not other.in_use


def test_a_state_with_few_vectors_left_is_taken_as_it_was() -> None:
    """With few vectors left, the lists of a loaded state stay in use until all vectors change."""
    vectors = clustered(200)
    index, other = filled(vectors), VectorIndex(DIM, 100)
    vectors[50:] = 0
    index.changed(np.arange(50, 200))
    other.load(full_state(index.state()), vectors)
    assert index.in_use
    assert not differences(full_state(index.state()), full_state(other.state()))


# In the learner
