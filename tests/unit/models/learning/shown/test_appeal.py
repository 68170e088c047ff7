"""Appeal: what items are clicked beyond what was expected of them, by numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.learning.shown.appeal import MEMORY, Appeal
from models.tables.catalogue import Catalogue

ROW = np.array([2])


def appeal_of(items: int = 8) -> Appeal:
    """Return appeals of one domain whose items have rows."""
    catalogue = Catalogue(64, 4)
    for n in range(items):
        catalogue.touch(f"i{n}")
    return Appeal({"books": 0}, [catalogue])


def test_mean_and_sd_by_hand() -> None:
    """C = 3, E = 1.5: 1 / k = (.5 · 40 + (1.5² - 1.5) / 1.75²) / (40 + 1.5² / 1.75²)."""
    appeal = appeal_of()
    appeal.show(0, ROW, np.array([1.5]))
    appeal.click(0, ROW, np.array([3.0]))
    appeal.renew(0)
    k = (40 + 2.25 / 3.0625) / (20 + 0.75 / 3.0625)
    assert appeal.strength(0) == pytest.approx(k)
    mean, sd = appeal.of(0, np.array([2, 5]))
    assert mean.tolist() == pytest.approx([np.log((3 + k) / (1.5 + k)), 0.0])
    assert sd.tolist() == pytest.approx([(3 + k) ** -0.5, k**-0.5])


def test_the_order_does_not_matter() -> None:
    """Sums of shows and clicks are the same in any order and in any parts."""
    one, two = appeal_of(), appeal_of()
    rows, expected = np.array([1, 2, 2, 3]), np.array([0.5, 0.25, 0.5, 1.0])
    one.show(0, rows, expected)
    one.click(0, np.array([2, 2, 1]), np.ones(3))
    two.click(0, np.array([1, 2]), np.ones(2))
    two.show(0, rows[2:], expected[2:])
    two.show(0, rows[:2], expected[:2])
    two.click(0, np.array([2]), np.ones(1))
    for name in ("clicks", "expected", "shows"):
        assert one.column(0, name, np.arange(4)).tolist() == two.column(0, name, np.arange(4)).tolist()
    one.renew(0)
    two.renew(0)
    assert one.strength(0) == pytest.approx(two.strength(0))


@pytest.mark.parametrize(("sd", "low", "high"), [(0.0, 10.0, 1e9), (0.8, 0.8, 2.5)])
def test_the_strength_is_learned(sd: float, low: float, high: float) -> None:
    """Appeals that are not there are shrunk to nothing; those with an sd of .8 keep a variance of about that."""
    rng, appeal, rows = np.random.default_rng(0), appeal_of(60), np.arange(60)
    truth = sd * rng.standard_normal(60)
    for _ in range(40):
        appeal.show(0, rows, np.ones(60))
        appeal.click(0, rows, rng.poisson(np.exp(truth)).astype(np.float64))
    appeal.renew(0)
    assert low < appeal.strength(0) < high
    if sd:
        assert np.corrcoef(appeal.of(0, rows).mean, truth)[0, 1] > 0.95


def test_long_known_items_can_change() -> None:
    """Of an item at most 200 expected clicks are remembered; the rate of clicks stays."""
    appeal = appeal_of()
    for _ in range(1000):
        appeal.show(0, ROW, np.ones(1))
        appeal.click(0, ROW, np.array([2.0]))
    assert appeal.column(0, "expected", ROW)[0] == MEMORY
    assert appeal.column(0, "clicks", ROW)[0] == pytest.approx(2 * MEMORY, rel=0.01)


def test_a_told_appeal_counts_instead() -> None:
    """It has no sd; an item without a row, or a number that is none, is refused."""
    appeal = appeal_of()
    appeal.show(0, ROW, np.ones(1))
    appeal.tell("books", ["i2", "i3"], [1.25, -0.5])
    mean, sd = appeal.of(0, np.array([2, 3, 4]))
    assert mean.tolist() == [1.25, -0.5, 0.0]
    assert sd[:2].tolist() == [0.0, 0.0]
    assert appeal.sure(0, np.array([2, 4])).tolist() == [True, False]
    with pytest.raises(KeyError, match="i99: not seen in books"):
        appeal.tell("books", ["i1", "i99"], [0.0, 0.0])
    with pytest.raises(ValueError, match="1 items need as many finite numbers"):
        appeal.tell("books", ["i1"], [float("nan")])


def test_new_items_are_those_shown_less_than_20_times() -> None:
    """The latest rows come first; what may not be recommended is left out; best items were shown 20 times."""
    appeal = appeal_of()
    for _ in range(20):
        appeal.show(0, np.array([1, 3]), np.full(2, 0.1))
    appeal.click(0, np.array([3]), np.ones(1))
    assert appeal.new(0, 8, 3).tolist() == [5, 6, 7]
    assert appeal.new(0, 8, 64).tolist() == [0, 2, 4, 5, 6, 7]
    assert appeal.is_new(0, np.array([1, 2, 40])).tolist() == [False, True, True]
    assert sorted(appeal.best(0, 5, 0.5).tolist()) == [1, 3]
    assert appeal.best(0, 1, 0.5).tolist() == [3]


def test_a_dropped_row_begins_anew() -> None:
    """All that its item has taught is gone, also from the strength; a state holds everything."""
    appeal, other = appeal_of(), appeal_of()
    for one in (appeal, other):
        one.show(0, np.array([1]), np.array([4.0]))
    appeal.show(0, ROW, np.array([9.0]))
    appeal.click(0, ROW, np.array([5.0]))
    again = appeal_of()
    again.load(appeal.state())
    assert again.of(0, np.arange(4)).mean.tolist() == appeal.of(0, np.arange(4)).mean.tolist()
    for one in (appeal, other):
        one.renew(0)
    assert appeal.strength(0) != other.strength(0)
    appeal.drop_item(0, 2)
    appeal.renew(0)
    appeal.drop_item(0, 63)
    assert appeal.of(0, ROW).mean.tolist() == [0.0]
    assert appeal.strength(0) == pytest.approx(other.strength(0))
