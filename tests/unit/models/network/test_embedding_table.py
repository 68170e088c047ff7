"""The embedding table's rows grow, and Adagrad agrees with numbers worked by hand."""

import numpy as np
import pytest
import torch

from models.network.embedding_table import ItemRows, RowTable
from models.state.dirty_keys import DirtyKeys

torch.set_num_threads(1)


def test_row_table_grows_by_an_eighth_and_keeps_to_its_capacity() -> None:
    table = RowTable(200, 4, 0.1, DirtyKeys())
    table.reserve(65)
    table.reserve(66)
    assert len(table.values) == 73
    with pytest.raises(ValueError, match="capacity"):
        table.reserve(201)


def test_row_adagrad_by_hand() -> None:
    """With g = [3, 4], s = 12.5 and step = 0.1 · g / √12.5; a second equal step halves the squared rate."""
    table = RowTable(10, 2, 0.1, DirtyKeys())
    table.reserve(3)
    gradient = np.array([[3.0, 4.0]], np.float32)
    table.descend(np.array([1]), torch.from_numpy(gradient))
    np.testing.assert_allclose(table.values[1], -0.1 * gradient[0] / 12.5**0.5, rtol=1e-5)
    table.descend(np.array([1]), torch.from_numpy(gradient))
    expected = -0.1 * gradient[0] * (1 / 12.5**0.5 + 1 / 25**0.5)
    np.testing.assert_allclose(table.values[1], expected, rtol=1e-5)
    assert not table.values[[0, 2]].any()


def test_after_another_process_was_followed_each_item_has_a_row_of_its_own() -> None:
    """Its rows change owners there, so what was free here before is not free, and what has no owner is."""
    items, rng = ItemRows([5], 4, 0.1), np.random.default_rng(0)
    items.admit(0, np.array([0, 1]), rng)
    items.drop(0, 0)
    items.follow(np.array([0, 2]), np.ones((2, 4), np.float32))
    items.own(0, np.array([2]), np.array([0]))
    items.free_ownerless()
    assert not items.table.values[2].any()
    items.admit(0, np.array([3, 4]), rng)
    rows = items.find(0, np.array([1, 2, 3, 4])).tolist()
    assert sorted(rows) == [0, 1, 2, 3]
    assert items.table.values[0].tolist() == [1.0] * 4
