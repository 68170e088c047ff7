"""Decayed popularity against numbers worked by hand, and its top lists against a full sort."""

from __future__ import annotations

import numpy as np
import pytest

from models.signals.popularity import DAY, EVENTS, HALF_LIVES, TOP, Popularity


def test_counts_halve_with_the_half_life() -> None:
    """Two events a day apart: half of the first is left after one day at a half-life of one day."""
    popularity = Popularity()
    popularity.add(2, 0.0)
    popularity.add(2, DAY)
    counts = np.exp(popularity.column("1d", 4, DAY))
    np.testing.assert_allclose(counts, [0, 0, 1.5, 0])
    np.testing.assert_allclose(np.exp(popularity.column("1d", 4, 2 * DAY))[2], 0.75)
    np.testing.assert_allclose(np.exp(popularity.column("ever", 4, 2 * DAY))[2], 2)


def test_some_half_lives_are_counted_in_events() -> None:
    """1,000 later events halve a count, whatever the time they take."""
    popularity = Popularity()
    popularity.add(1, 0.0)
    for n in range(1000):
        popularity.add(0, float(n))
    assert EVENTS == {"1000_events": 1000.0}
    np.testing.assert_allclose(np.exp(popularity.column("1000_events", 2, 1e9))[1], 0.5)


def test_ages_count_from_the_first_event() -> None:
    popularity = Popularity()
    for time in (1.0, 2.0, 4.0):
        popularity.add(0, time * DAY)
    np.testing.assert_allclose(popularity.ages(np.array([0, 1]), 5 * DAY), [1 + np.log(5), 0])
    popularity.drop(0)
    assert popularity.ages(np.array([0]), 5 * DAY) == 0


def test_late_events_count_from_the_newest_time_seen() -> None:
    popularity = Popularity()
    popularity.add(0, 10 * DAY)
    popularity.add(1, 9 * DAY)
    np.testing.assert_allclose(np.exp(popularity.column("1d", 2, 0.0)), [1, 0.5])


@pytest.mark.parametrize("items", [40, 900])
def test_top_lists_stay_sorted(items: int) -> None:
    """After any stream, with drops, each list is the head of a full sort."""
    random = np.random.default_rng(1)
    popularity = Popularity()
    for step in range(3000):
        row = int(random.zipf(1.3)) % items
        popularity.add(row, step * 1000.0 + random.normal() * 5000)
        if step % 50 == 49:
            popularity.drop(int(random.integers(items)) if step % 100 == 99 else row)
    for h, name in enumerate(HALF_LIVES):
        logs = popularity.logs[:, h]
        known = np.flatnonzero(logs > -np.inf)
        top = popularity.top(name)
        assert len(np.unique(top)) == len(top) == min(TOP, len(known))
        np.testing.assert_array_equal(logs[top], np.sort(logs[known])[::-1][: len(top)])


def test_state_round_trips() -> None:
    popularity, other = Popularity(), Popularity()
    for row in (3, 1, 3):
        popularity.add(row, 5.0 * row)
    other.load(popularity.state())
    np.testing.assert_array_equal(popularity.logs, other.logs)
    np.testing.assert_array_equal(popularity.top("3d"), other.top("3d"))
    other.add(7, 100.0)
    assert 7 not in popularity.top("3d")


@pytest.mark.parametrize("items", [40, 900])
def test_without_lists_the_counts_are_the_same(items: int) -> None:
    """A domain of which nobody reads lists keeps no top; once they are wanted, they are made from the state."""
    random = np.random.default_rng(2)
    listed, unlisted, now_listed, no_longer = Popularity(), Popularity(False), Popularity(), Popularity(False)
    for step in range(2000):
        row = int(random.zipf(1.3)) % items
        for popularity in (listed, unlisted):
            popularity.add(row, step * 1000.0)
            if step % 50 == 49:
                popularity.drop(row)
    np.testing.assert_array_equal(listed.logs, unlisted.logs)
    assert len(unlisted.top("3d")) == 0
    now_listed.load(unlisted.state())
    for h, name in enumerate(HALF_LIVES):
        np.testing.assert_array_equal(listed.logs[now_listed.top(name), h], listed.logs[listed.top(name), h])
    now_listed.add(5, 3e6)
    assert now_listed.top("1d")[0] == 5
    no_longer.load(listed.state())
    assert len(no_longer.top("3d")) == 0
