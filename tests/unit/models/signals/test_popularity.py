"""Decayed popularity agrees with a plain sum, and its top lists with a full sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.signals.popularity import Popularity
from models.tables.decayed_counts import BY_EVENTS, DAY, EVENTS, EVER, HALF_LIVES, RATES, REBASE, TOP
from tests.support.plain.popularity import PlainPopularity


def counts(popularity: Popularity, name: str, rows: int, now: float) -> np.ndarray:
    return popularity.values(np.arange(rows), now)[:, list(HALF_LIVES).index(name)]


def test_counts_halve_with_the_half_life() -> None:
    """At a half-life of one day, half of an event is left after a day."""
    popularity = Popularity()
    popularity.add(2, 0.0)
    popularity.add(2, DAY)
    np.testing.assert_allclose(counts(popularity, "1d", 4, DAY), [0, 0, 1.5, 0])
    np.testing.assert_allclose(counts(popularity, "1d", 4, 2 * DAY)[2], 0.75)
    np.testing.assert_allclose(counts(popularity, "ever", 4, 2 * DAY)[2], 2)
    assert popularity.count("1d", 2, 2 * DAY) == pytest.approx(0.75)


def test_some_half_lives_are_counted_in_events() -> None:
    """1,000 later events halve a count, in any time."""
    popularity = Popularity()
    popularity.add(1, 0.0)
    popularity.fold(np.zeros(1000, np.int64), np.arange(1000.0))
    assert EVENTS == {"1000_events": 1000.0}
    np.testing.assert_allclose(counts(popularity, "1000_events", 2, 1e9)[1], 0.5)


def test_late_events_count_as_of_the_newest_time_seen() -> None:
    """A late event counts whole; a question about an earlier time has the present answer."""
    popularity = Popularity()
    popularity.add(0, 10 * DAY)
    popularity.add(1, 9 * DAY)
    np.testing.assert_allclose(counts(popularity, "1d", 2, 0.0), [1, 1])
    np.testing.assert_allclose(counts(popularity, "1d", 2, 11 * DAY), [0.5, 0.5])


STREAM = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from([-DAY, 0.0, 60.0, DAY, 40 * DAY, 500 * DAY])),
    min_size=1,
    max_size=40,
)
"""Item rows, and seconds since the event before."""


@settings(max_examples=100, deadline=None)
@given(STREAM, st.integers(1, 9), st.integers(0, 6))
def test_counts_are_the_sums_of_all_events(stream: list[tuple[int, float]], batch: int, gone: int) -> None:
    """Counts equal the sums of all events, in batches of any size, over years, and after a drop."""
    popularity, plain = Popularity(), PlainPopularity()
    rows = np.array([row for row, _ in stream])
    times = 1e9 + np.cumsum([apart for _, apart in stream])
    for at in range(0, len(rows), batch):
        popularity.fold(rows[at : at + batch], times[at : at + batch])
    for row, time in zip(rows.tolist(), times.tolist(), strict=True):
        plain.add(row, time)
    popularity.drop(gone)
    plain.drop(gone)
    for now in (0.0, plain.newest, plain.newest + 3 * DAY):
        np.testing.assert_allclose(
            popularity.values(np.arange(9), now), plain.values(9, now), rtol=1e-9, atol=1e-80
        )


def test_growth_is_taken_back_after_years() -> None:
    """With an event every 100 days for 40 years the start moves, and counts follow the half-life."""
    popularity = Popularity()
    for n in range(146):
        popularity.add(n % 2, n * 100 * DAY)
    assert popularity.clock[0] > 35 * 365 * DAY
    found = counts(popularity, "1d", 2, 0.0)
    np.testing.assert_allclose(found, [2.0**-100, 1.0], rtol=1e-9)
    np.testing.assert_allclose(counts(popularity, "ever", 2, 0.0), [73, 73])
    assert np.isfinite(popularity.counts).all()


def test_growth_by_events_is_taken_back() -> None:
    """450,000 events at one instant count as a geometric sum, and the event before them has faded."""
    popularity, events = Popularity(), 450_000
    assert events * RATES[BY_EVENTS] > REBASE
    popularity.add(1, 5.0)
    popularity.fold(np.zeros(events, np.int64), np.full(events, 5.0))
    found = popularity.values(np.arange(2), 5.0)
    assert found[0, BY_EVENTS] == pytest.approx(1 / (1 - 2 ** (-1 / 1000)), rel=1e-6)
    assert found[1, BY_EVENTS] == pytest.approx(2.0 ** (-events / 1000), rel=1e-6)
    np.testing.assert_allclose(found[:, 0], [events, 1])


def test_a_share_of_events_is_rare_or_not() -> None:
    """The rarity uses shares with one more event for each item: here (2 + 1) and 1 of (3 + 2 + 1)."""
    popularity = Popularity()
    popularity.fold(np.array([0, 0, 1]), np.zeros(3))
    found = popularity.negative_log_shares(np.array([0, 1, 99]))
    np.testing.assert_allclose(found, [np.log(6 / 3), np.log(6 / 2), np.log(6)])


@pytest.mark.parametrize("items", [40, 900])
def test_top_lists_stay_sorted(items: int) -> None:
    """After any stream, with drops, each list is the head of a full sort."""
    random = np.random.default_rng(1)
    popularity = Popularity()
    for step in range(0, 3000, 5):
        rows = random.zipf(1.3, 5) % items
        popularity.fold(rows, step * 1000.0 + 1000.0 * np.arange(5) + random.normal(size=5) * 5000)
        if step % 50 == 45:
            popularity.drop(int(random.integers(items)) if step % 100 == 95 else int(rows[-1]))
    for h, name in enumerate(HALF_LIVES):
        held = popularity.counts[:, h]
        known = np.flatnonzero(popularity.counts[:, EVER])
        top = popularity.top(name)
        assert len(np.unique(top)) == len(top) == min(TOP, len(known))
        np.testing.assert_array_equal(held[top], np.sort(held[known])[::-1][: len(top)])


def test_state_round_trips() -> None:
    popularity, other = Popularity(), Popularity()
    for row in (3, 1, 3):
        popularity.add(row, 5.0 * row)
    other.load(popularity.state())
    np.testing.assert_array_equal(popularity.counts, other.counts)
    np.testing.assert_array_equal(popularity.top("3d"), other.top("3d"))
    popularity.add(7, 100.0)
    assert 7 not in other.top("3d")
    other.add(7, 100.0)
    np.testing.assert_array_equal(popularity.counts, other.counts)


@pytest.mark.parametrize("items", [40, 900])
def test_without_lists_the_counts_are_the_same(items: int) -> None:
    """A domain without lists keeps no top lists; when it gets lists, they are made from the state."""
    random = np.random.default_rng(2)
    listed, unlisted, now_listed, no_longer = Popularity(), Popularity(False), Popularity(), Popularity(False)
    for step in range(2000):
        row = int(random.zipf(1.3)) % items
        for popularity in (listed, unlisted):
            popularity.add(row, step * 1000.0)
            if step % 50 == 49:
                popularity.drop(row)
    np.testing.assert_array_equal(listed.counts, unlisted.counts)
    assert len(unlisted.top("3d")) == 0
    now_listed.load(unlisted.state())
    for h, name in enumerate(HALF_LIVES):
        np.testing.assert_array_equal(
            listed.counts[now_listed.top(name), h], listed.counts[listed.top(name), h]
        )
    now_listed.add(5, 3e6)
    assert now_listed.top("1d")[0] == 5
    no_longer.load(listed.state())
    assert len(no_longer.top("3d")) == 0


def test_nothing_counts_as_later_than_the_end_of_the_future() -> None:
    """After an event ten days ahead is moved to now, it counts once, and other counts have their present value."""
    popularity = Popularity()
    popularity.add(0, 0.0)
    popularity.add(1, 10 * DAY)
    popularity.end_future(DAY)
    assert popularity.newest == DAY
    np.testing.assert_allclose(counts(popularity, "1d", 2, DAY), [0.5, 1.0])
    np.testing.assert_allclose(counts(popularity, "ever", 2, DAY), [1.0, 1.0])
    assert popularity.top("1d").tolist() == [1, 0]
    before = popularity.state()
    popularity.end_future(2 * DAY)
    assert popularity.state()["clock"].tolist() == before["clock"].tolist()


def test_the_future_may_end_before_the_start() -> None:
    """Events that were counted years ahead count as of now, less what they had faded by then."""
    popularity, years = Popularity(), 15 * 365 * DAY
    popularity.fold(np.array([0, 1]), np.array([years, years + DAY]))
    popularity.end_future(5 * DAY)
    np.testing.assert_allclose(counts(popularity, "1d", 2, 5 * DAY), [0.5, 1.0])
    np.testing.assert_allclose(counts(popularity, "1d", 2, 6 * DAY), [0.25, 0.5])
    popularity.add(0, 6 * DAY)
    np.testing.assert_allclose(counts(popularity, "1d", 2, 6 * DAY), [1.25, 0.5])
    assert popularity.first.max() == 5 * DAY
