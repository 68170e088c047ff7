"""The hash index equals a dict, through collisions, removals and growth."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tables.hash_index import LEAST, MULTIPLIER, SHIFT, HashIndex, row_of


def colliding(count: int, places: int) -> list[int]:
    """Return keys for the last two places of a table, so that searches wrap around its end."""
    keys, n = list[int](), 0
    while len(keys) < count:
        n += 1
        home = int((np.uint64(n) * MULTIPLIER) >> SHIFT) & (places - 1)
        if home >= places - 2:
            keys.append(n)
    return keys


with np.errstate(over="ignore"):
    KEYS = list(dict.fromkeys([*colliding(20, LEAST), 0, -1, 2**63 - 1, -(2**63), *range(100, 140)]))
ACTIONS = st.lists(
    st.tuples(st.sampled_from(["put", "put", "remove"]), st.sampled_from(KEYS), st.integers(0, 2**31 - 1)),
    max_size=120,
)


@settings(max_examples=150, deadline=None)
@given(ACTIONS)
def test_is_a_dict(actions: list[tuple[str, int, int]]) -> None:
    index, model = HashIndex(), dict[int, int]()
    for what, key, row in actions:
        if what == "put":
            index.put(key, row)
            model[key] = row
        else:
            index.remove(key)
            model.pop(key, None)
        assert len(index) == len(model)
    assert {key: index.get(key) for key in KEYS} == {key: model.get(key) for key in KEYS}
    assert (index.rows >= 0).sum() == len(model)


def test_a_gap_hides_nobody() -> None:
    """Colliding keys lie side by side, and each may be removed first."""
    keys = KEYS[:8]
    for gone in keys:
        index = HashIndex()
        for n, key in enumerate(keys):
            index.put(key, n)
        index.remove(gone)
        assert [index.get(key) for key in keys] == [None if key == gone else n for n, key in enumerate(keys)]


def test_stays_half_empty() -> None:
    random = np.random.default_rng(0)
    index, keys = HashIndex(), random.integers(-(2**62), 2**62, 3000)
    for n, key in enumerate(keys.tolist()):
        index.put(key, n)
    assert 2 * len(index) <= len(index.keys)
    assert all(index.get(key) == n for n, key in enumerate(keys.tolist()))


def test_filled_at_once_it_holds_those_and_no_others() -> None:
    index = HashIndex()
    index.put(5, 1)
    keys = np.array([*KEYS, 10**9], np.int64)
    index.fill(keys, np.arange(len(keys), dtype=np.int32))
    assert index.get(5) is None
    assert [index.get(key) for key in keys.tolist()] == list(range(len(keys)))
    assert row_of(index.keys, index.rows, 10**9) == len(keys) - 1
    index.fill(keys[:0], np.zeros(0, np.int32))
    assert len(index) == 0
    assert index.get(10**9) is None
