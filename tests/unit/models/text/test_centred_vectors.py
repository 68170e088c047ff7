"""Directions are unit vectors around the domain's mean, for any way of filling the catalogue."""

from __future__ import annotations

import numpy as np

from models.tables.catalogue import Catalogue
from tests.support.learners.states import differences


def filled(vectors: np.ndarray) -> Catalogue:
    catalogue = Catalogue(1000, vectors.shape[1])
    for n, vector in enumerate(vectors):
        row, _ = catalogue.touch(f"i{n}")
        catalogue.set_vector(row, vector.astype(np.float32))
    return catalogue


def test_directions_are_centred_and_of_unit_length() -> None:
    """The mean is from a recent refresh, and rows without a vector stay zero."""
    vectors = np.random.default_rng(0).normal(size=(64, 5)) + 3
    catalogue = filled(vectors)
    catalogue.touch("without")
    np.testing.assert_allclose(catalogue.directions.mean, vectors.mean(0), atol=0.2)
    centred = vectors - catalogue.directions.mean
    expected = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(catalogue.directions.units[:64], expected, atol=1e-5)
    assert not catalogue.directions.units[64:].any()


def test_a_vector_that_goes_leaves_zero() -> None:
    catalogue = filled(np.random.default_rng(0).normal(size=(10, 5)))
    catalogue.set_vector(3, None)
    assert not catalogue.directions.units[3].any()


def test_a_re_encoded_catalogue_is_centred_anew() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 5))
    catalogue = filled(vectors)
    for row in range(40):
        catalogue.set_vector(row, (vectors[row] + 100).astype(np.float32))
    np.testing.assert_allclose(catalogue.directions.mean, (vectors + 100).mean(0), rtol=0.3)


def test_state_round_trips_bit_for_bit() -> None:
    """Directions are equal bit for bit, whether computed row by row or all at once."""
    catalogue = filled(np.random.default_rng(0).normal(size=(77, 33)))
    other = Catalogue(1000, 33)
    other.load(catalogue.state())
    np.testing.assert_array_equal(other.directions.units[:77], catalogue.directions.units[:77])
    for one in (catalogue, other):
        for n in range(200):
            row, _ = one.touch(f"new{n}")
            one.set_vector(row, np.full(33, n, np.float32))
    np.testing.assert_array_equal(other.directions.units[:277], catalogue.directions.units[:277])


def test_vectors_in_lots_lead_where_single_ones_do() -> None:
    """Bit for bit, whatever the lots, through several refreshes and with lists in use."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(900, 33)).astype(np.float32)
    order = np.concatenate([rng.permutation(900), rng.permutation(900)[:300]])
    one, lots = (Catalogue(1000, 33, exact_items=100) for _ in range(2))
    for catalogue in (one, lots):
        for n in range(900):
            catalogue.touch(f"i{n}")
    for row in order.tolist():
        one.set_vector(row, vectors[row])
    for begin, end in ((0, 1), (1, 40), (40, 41), (41, 800), (800, 900), (900, 1200)):
        rows = order[begin:end]
        lots.set_vectors(rows, vectors[rows])
    assert lots.directions.index.in_use
    assert differences(one.state(), lots.state()) == []
    np.testing.assert_array_equal(one.directions.units, lots.directions.units)
