"""Vectors without numpy: the examples, and the same choice of diverse items as the learners make."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from models.ranking.diversity import diversified
from serving.client.questions import vectors
from serving.client.questions.vectors import decode_vector, diverse, dot
from serving.contract import encode_vector


def test_examples() -> None:
    assert doctest.testmod(vectors).attempted >= 2
    assert doctest.testmod(vectors).failed == 0


@pytest.mark.parametrize("diversity", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_the_choice_is_that_of_the_learners(diversity: float) -> None:
    """On random scores and vectors, of which some are missing."""
    random = np.random.default_rng(7)
    scores, found = random.normal(size=40), random.normal(size=(40, 8)).astype(np.float32)
    found[::5] = 0
    ours = diverse(
        scores.tolist(), [decode_vector(encode_vector(v)) if v.any() else None for v in found], 12, diversity
    )
    assert ours == diversified(scores, found, 12, diversity).tolist()


@pytest.mark.parametrize("data", [None, b"", b"abc", b"abcde"])
def test_bytes_that_are_no_vector(data: bytes | None) -> None:
    """They count as no vector, and no vector is near to nothing."""
    assert decode_vector(data) is None
    assert dot(decode_vector(data), [1.0]) == 0.0


def test_vectors_of_two_lengths_have_no_product() -> None:
    """A store may hold vectors of two configs for a while."""
    assert dot([1.0, 2.0], [1.0]) == 0.0
