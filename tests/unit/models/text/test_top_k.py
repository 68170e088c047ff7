"""Partial selections equal the head of a full sort."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.text.top_k import top_k_sorted

VALUES = st.lists(st.sampled_from([-np.inf, -1.5, 0.0, 0.5, 2.0, 7.0]), max_size=60)


@given(VALUES, st.integers(1, 70))
def test_leading_is_the_head_of_a_stable_sort(values: list[float], k: int) -> None:
    """Selections equal a full sort, also among equals and with fewer than k scores."""
    scores = np.array(values)
    assert top_k_sorted(scores, k).tolist() == sorted(range(len(values)), key=lambda n: -values[n])[:k]
