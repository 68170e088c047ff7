"""The laws of closed-loop worlds."""

from __future__ import annotations

import doctest
from math import exp, log, sqrt

import numpy as np
import pytest

from consumers.simulator.closed_loop import fatigue, world
from consumers.simulator.closed_loop.fatigue import Fatigue
from consumers.simulator.closed_loop.settings import IMPRESSIONS_PER_DAY, WORLDS, WorldName
from consumers.simulator.closed_loop.world import World

SMALL = {"users": 60, "items": 80, "impressions": 4_000, "before": 1_000}


@pytest.mark.parametrize("module", [fatigue, world])
def test_the_examples_hold(module: object) -> None:
    """Every example in a docstring prints what it says."""
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_equal_seeds_make_equal_worlds_and_others_differ() -> None:
    """The seed decides everything, and each seed makes another world."""
    first, again, other = (World.make("text", seed, **SMALL) for seed in (3, 3, 4))
    for name in ("user", "domain", "dice"):
        assert np.array_equal(getattr(first.visits, name), getattr(again.visits, name))
        assert not np.array_equal(getattr(first.visits, name), getattr(other.visits, name))
    for mine, same in zip(first.items, again.items, strict=True):
        assert mine.words == same.words
        assert np.array_equal(mine.appeal, same.appeal)


def test_domains_have_their_shares_of_the_impressions() -> None:
    """Movies, books and games have .5, .3 and .2 of 70,000 impressions, within four standard errors."""
    found = World.make("mute", 0).visits.domain
    shares = np.bincount(found, minlength=3) / len(found)
    assert len(found) == 70_000
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=4 * 0.5 / sqrt(70_000))


def test_users_are_of_unequal_activity() -> None:
    """A tenth of the users makes between a third and a half of all impressions (lognormal with sd 1: 39 %)."""
    counts = np.sort(np.bincount(World.make("mute", 0).visits.user, minlength=1000))
    assert 0.33 < counts[-100:].sum() / counts.sum() < 0.5


def test_half_of_the_items_arrives_evenly_during_the_run() -> None:
    """Nothing arrives before the run. A quarter of its impressions later, a quarter of the second half is there."""
    made = World.make("mute", 0)
    for domain in range(3):
        at = [int(made.arrived(domain, time).sum()) for time in (0, 19_999, 32_500, 45_000, 69_999)]
        assert at[0] == at[1] == 500
        assert at[2] == pytest.approx(625, abs=40)
        assert at[3] == pytest.approx(750, abs=45)
        assert at[4] == 1000


def test_a_click_is_a_look_times_an_attraction() -> None:
    """The probability is that of the module's equation, worked by hand for one user, list and time."""
    made = World.make("mute", 2, **SMALL)
    user, domain, rows = 5, 1, np.array([3, 9, 1])
    found = made.click_probabilities(user, domain, rows, 0)
    for place, row in enumerate(rows.tolist()):
        first, second = made.items[domain].topics[row].tolist()
        taste = 0.7 * (made.taste[user, first] + made.taste[user, second]) / sqrt(2)
        odds = made.settings.base + taste + made.items[domain].appeal[row]
        look = 1 / (place + 1) ** 0.7
        assert found[place] == pytest.approx(look / (1 + exp(-odds)))


def test_clicks_come_as_often_as_their_probability_says() -> None:
    """Over 3,000 impressions the number of clicks is within four standard deviations of the sum of probabilities."""
    made = World.make("mute", 0, **SMALL, fatigue=0.0)
    expected = variance = clicks = 0.0
    rng = np.random.default_rng(1)
    for time in range(3_000):
        user, domain = int(made.visits.user[time]), int(made.visits.domain[time])
        rows = rng.choice(40, 10, replace=False)
        chances = made.click_probabilities(user, domain, rows, time)
        expected, variance = expected + chances.sum(), variance + (chances * (1 - chances)).sum()
        clicks += made.show(user, domain, rows, time).sum()
    assert clicks == pytest.approx(expected, abs=4 * sqrt(variance))


def test_fatigue_grows_with_shows_and_recovers() -> None:
    """Three passed looks cost weight · ln 4 at once, and weight · ln 2.5 one half-life later."""
    tired, row = Fatigue(users=2, items=3, weight=0.5, half_life=50.0), np.array([2])
    for _ in range(3):
        tired.add(1, row, np.ones(1), time=10)
    assert tired.of(1, row, 10) == pytest.approx([0.5 * log(4)])
    assert tired.of(1, row, 60) == pytest.approx([0.5 * log(2.5)])
    assert tired.of(1, row, 10_000) == pytest.approx([0.0], abs=1e-6)
    assert tired.of(0, row, 10) == pytest.approx([0.0])


def test_only_what_was_passed_over_tires_and_what_was_clicked_is_had() -> None:
    """A clicked item is never clicked again; another user, and a copy, are not concerned."""
    made = World.make("mute", 0, **SMALL)
    twin = made.copy()
    before = made.attraction(0, 0, np.arange(10), 0)
    other = made.attraction(1, 0, np.arange(10), 0)
    clicked = np.zeros(10, np.bool_)
    time = 0
    while not clicked.any():
        clicked, time = made.show(0, 0, np.arange(10), time), time + 1
    after = made.attraction(0, 0, np.arange(10), time)
    assert (after[clicked] == 0).all()
    assert (after[~clicked] < before[~clicked]).all()
    assert np.array_equal(made.attraction(1, 0, np.arange(10), 0), other)
    assert np.array_equal(twin.attraction(0, 0, np.arange(10), 0), before)


@pytest.mark.parametrize(("name", "told"), [("mute", 0.0), ("text", 0.25), ("news", 0.0)])
def test_text_tells_a_quarter_of_the_appeal_in_its_world_only(name: WorldName, told: float) -> None:
    """The appeal has sd .8. Regressed on topics, they explain a quarter of its variance in *text*, by chance else."""
    made = World.make(name, 0)
    appeal = np.concatenate([items.appeal for items in made.items])
    about = np.zeros((len(appeal), 16))
    topics = np.concatenate([items.topics for items in made.items])
    np.put_along_axis(about, topics, 1.0, axis=1)
    centred = appeal - appeal.mean()
    fitted = about @ np.linalg.lstsq(about, appeal, rcond=None)[0] - appeal.mean()
    assert appeal.std() == pytest.approx(0.8, rel=0.03)
    assert 1 - ((centred - fitted) ** 2).sum() / (centred**2).sum() == pytest.approx(told, abs=0.04)


def test_the_words_tell_the_topics() -> None:
    """Two items of equal topics share the words that name these, in each domain."""
    made = World.make("text", 0, **SMALL)
    named: dict[tuple[int, ...], set[str]] = {}
    for items in made.items:
        for topics, (title, text) in zip(items.topics.tolist(), items.words, strict=True):
            assert text.startswith(title)
            named.setdefault(tuple(topics), set()).add(text.rsplit("Themes: ")[1])
    assert all(len(words) == 1 for words in named.values())
    assert len({words.pop() for words in named.values()}) == len(named)


def test_appeal_falls_with_age_in_news_only() -> None:
    """In *news* the odds halve in four days. Elsewhere appeal is constant."""
    for name in WORLDS:
        made = World.make(name, 0)
        lost = made.appeal(0, 20_000)[:500] - made.appeal(0, 20_000 + 4 * IMPRESSIONS_PER_DAY)[:500]
        assert lost == pytest.approx(log(2) if name == "news" else 0.0)


def test_no_list_has_more_expected_clicks_than_the_best_one() -> None:
    """`best_clicks` is the sum for the ten most attractive items in their order, and no other list reaches it."""
    made = World.make("text", 0, **SMALL)
    best = made.best_clicks(4, 2, 900)
    order = np.argsort(-made.attraction(4, 2, np.arange(40), 900))
    assert best == pytest.approx(made.click_probabilities(4, 2, order[:10], 900).sum())
    assert made.click_probabilities(4, 2, order[1:11], 900).sum() < best


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "loud"}, "one of mute, text, news, not 'loud'"),
        ({"users": 0}, "needs a user"),
        ({"items": 12}, "20 items in each domain"),
        ({"impressions": 0}, "at least one impression"),
    ],
)
def test_an_impossible_world_is_refused(fields: dict[str, object], said: str) -> None:
    """The error says what a world needs."""
    with pytest.raises(ValueError, match=said):
        World.make(**({"name": "mute"} | fields))  # type: ignore[arg-type]
