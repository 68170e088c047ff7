"""Rows of items can be reused and saved."""

from __future__ import annotations

import numpy as np

from models.tables.catalogue import Catalogue, grown, item_hash


def test_a_reused_row_starts_clean() -> None:
    """Eviction hands the row to another item without title, vector, direction or item event."""
    catalogue = Catalogue(2, 3)
    for name in ("a", "b"):
        row, _ = catalogue.touch(name)
        catalogue.describe(row, name, available=False)
        catalogue.streamed[row] = True
        catalogue.set_vector(row, np.array([1.0, 2.0, len(catalogue.ids)], np.float32))
    row, evicted = catalogue.touch("c")
    assert evicted == "a"
    assert catalogue.title_of[row] == ""
    assert catalogue.recommendable[row]
    assert not catalogue.has_vector[row]
    assert not catalogue.streamed[row]
    assert not catalogue.vectors[row].any()
    assert not catalogue.directions.units[row].any()
    found = [catalogue.row_by_hash.get(item_hash(name)) for name in ("a", "b", "c")]
    assert found == [None, 1 - row, row]
    assert len(catalogue.row_by_hash) == 2


def test_items_need_an_event_where_the_catalogue_is_required() -> None:
    catalogue = Catalogue(5, 2, required=True)
    row, _ = catalogue.touch("a")
    assert not catalogue.recommendable[row]
    catalogue.describe(row, "A", available=True)
    assert catalogue.recommendable[row]


def test_state_round_trips() -> None:
    catalogue, other = Catalogue(50, 4), Catalogue(50, 4)
    random = np.random.default_rng(0)
    for n in range(30):
        row, _ = catalogue.touch(f"i{n}")
        if n % 3:
            catalogue.set_vector(row, random.normal(size=4).astype(np.float32))
    other.load(catalogue.state())
    for name in ("recommendable", "has_vector", "vectors"):
        np.testing.assert_array_equal(getattr(other, name)[:30], getattr(catalogue, name)[:30])
    np.testing.assert_array_equal(other.directions.units[:30], catalogue.directions.units[:30])
    assert len(other.row_by_hash) == 30
    assert [other.row_by_hash.get(item_hash(f"i{n}")) for n in range(30)] == list(range(30))


def test_arrays_grow_by_an_eighth_and_keep_their_rows() -> None:
    array = np.ones((64, 2))
    assert grown(array, 64) is array
    bigger = grown(array, 65)
    assert bigger.shape == (72, 2)
    assert bigger[:64].all()
    assert not bigger[64:].any()
