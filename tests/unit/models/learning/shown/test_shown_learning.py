"""A learner learns from what was shown: appeal, fatigue, places; lists are made with it, and drawn if they explore."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.exposure.examination import RANKS, as_pairs, prior_curve
from models.learning.learner import Learner
from models.learning.shown.list_maker import MORE, Wish
from models.ranking.recommendation import Recommendation
from models.schema import Impression, Interaction, Item
from models.settings import LearningSettings, RankerSettings
from tests.support.learners.learner_stream import DOMAINS, START, describe, event, feed
from tests.support.learners.states import differences, read_back

AT = START + 1_000_000
SECOND = 1000


def made(explore: float = 0.0, items: int = 60) -> Learner:
    """Return a learner without events."""
    settings = LearningSettings(users=64, items_per_domain=items, ranker=RankerSettings(explore=explore))
    return Learner(DOMAINS, settings)


def taught(explore: float = 0.0) -> Learner:
    """Return a learner of 96 events of all domains."""
    model = made(explore)
    describe(model)
    feed(model, 0, 96)
    return model


def show(model: Learner, user: str, items: list[str], at: int, list_ts: int | None = None) -> None:
    """Let a user be shown movies. at: seconds."""
    shown = Impression("movies", user, tuple(items), AT + at * SECOND, list_ts, event_id=f"{user}-{at}")
    model.impressions.take(shown, model.catalogues[0])


def click(model: Learner, user: str, item: str, at: int) -> None:
    """Let a user click what they were shown `at` that second. The click is learned."""
    answer = Interaction("movies", "click", user, item, AT + at * SECOND + 1, impression=f"{user}-{at}")
    model.impressions.answer(answer)
    model.learn([answer])


def lines(model: Learner, user: str, k: int = 20, draw: int | None = None) -> list[Recommendation]:
    return model.lists([user], "movies", Wish(k, draw=draw))[0].items


def played(explore: float = 0.0) -> Learner:
    """Return a learner whose users see eight movies each, and click m3 whenever they see it."""
    model = taught(explore)
    for n in range(30):
        user = f"w{n}"
        items = [f"m{(n + k) % 10}" for k in range(8)]
        show(model, user, items, n)
        if "m3" in items:
            click(model, user, "m3", n)
    model.shown.learn()
    return model


def test_what_is_clicked_where_it_is_shown_rises() -> None:
    """Its appeal is the highest, and counts; those of items that are passed over are low."""
    model = played()
    rows = np.array([model.item_row("movies", f"m{n}") for n in range(10)])
    mean = model.appeal.of(0, rows).mean
    assert int(mean.argmax()) == 3
    assert mean[3] > 0.5
    assert model.shown.clicks.shares(0)[0] > 0.3
    before = [line.item_id for line in lines(taught(), "stranger")]
    after = lines(model, "stranger")
    place = [line.item_id for line in after].index("m3")
    assert place < (before.index("m3") if "m3" in before else len(before))
    assert after[place].why["appeal"] > 0


def test_contributions_add_up() -> None:
    """With appeal and fatigue, for lists in order and for drawn ones; `one` tells the same of an item."""
    for explore in (0.0, 1.0):
        model = played(explore)
        for draw in (None, 7):
            for line in lines(model, "w3", draw=draw):
                assert set(MORE) <= set(line.why)
                assert sum(line.why.values()) == pytest.approx(line.score, abs=1e-6)
        row = model.item_row("movies", "m5")
        assert row is not None
        line = next(line for line in lines(model, "w40", 40) if line.item_id == "m5")
        alone = model.lister(0).one(model.users.get("w40"), row)
        assert alone.scores[0] == pytest.approx(line.score, abs=1e-5)


def test_what_a_user_passed_over_sinks_for_them_alone() -> None:
    """Three items come again and again and are passed over; others come once, below, and are often clicked."""
    model = taught()
    rng = np.random.default_rng(0)
    for n in range(320):
        user, turn = n % 40, n // 40
        again = [f"m{(user + k) % 34}" for k in range(3)]
        once = [f"m{(user + 5 + 3 * turn + k) % 34}" for k in range(3)]
        show(model, f"w{user}", again + once, n)
        if rng.random() < 0.5:
            click(model, f"w{user}", once[int(rng.integers(3))], n)
    model.shown.learn()
    assert model.shown.clicks.fatigue(0) < -0.1
    tired = {line.item_id: line.why["fatigue"] for line in lines(model, "w1", 40)}
    fresh = {line.item_id: line.why["fatigue"] for line in lines(model, "stranger", 40)}
    assert min(tired.values()) < 0
    assert set(fresh.values()) == {0.0}


def test_lists_are_drawn_only_if_they_explore_and_are_published() -> None:
    """A drawn list has probabilities, each draw its own order, and the same key the same list."""
    model = taught(1.0)
    one, two, again = (lines(model, "u3", 20, draw) for draw in (5, 6, 5))
    assert [line.item_id for line in one] == [line.item_id for line in again]
    assert [line.item_id for line in one] != [line.item_id for line in two]
    assert all(0 < line.p < 1 for line in one)
    plain = lines(model, "u3")
    assert [line.p for line in plain] == [1.0] * 20
    assert all(a.score >= b.score for a, b in itertools.pairwise(plain))
    greedy = taught()
    assert lines(greedy, "u3", 20, 5) == greedy.recommend(["u3"], "movies", 20)[0]


def test_new_items_are_candidates() -> None:
    """An item without text and events, which no signal brings, is drawn within some lists, if they explore."""
    for explore, expected in ((0.0, False), (1.0, True)):
        model = made(explore, items=400)
        describe(model)
        feed(model, 0, 96)
        for n in range(200):
            model.put_item(Item("movies", f"late{n}"))
        known = np.arange(model.catalogues[0].size - 200)
        for _ in range(20):
            model.appeal.show(0, known, np.full(len(known), 0.01))
        drawn = {line.item_id for draw in range(20) for line in lines(model, "u3", 10, draw)}
        assert any(f"late{n}" in drawn for n in range(160, 200)) == expected


def test_clicks_on_drawn_lists_tell_how_places_are_examined() -> None:
    """The pairs of ranks of the shown list get the click, weighed by the odds of a swap; other lists teach nothing."""
    model = taught(1.0)
    items = [line.item_id for line in lines(model, "u3", 20, AT)]
    show(model, "u3", items[:5], 1, list_ts=AT)
    click(model, "u3", items[1], 1)
    pairs = model.shown.examination.pairs[0]
    assert pairs[:5, :5].sum() > 0
    assert pairs[1, 0] > 0
    assert pairs[0, 1] == 0
    assert not model.shown.identified
    before = pairs.copy()
    show(model, "u3", items[5:10], 2, list_ts=AT)
    click(model, "u3", items[6], 2)
    assert (pairs == before).all()


def test_the_curve_is_taken_up_from_time_to_time() -> None:
    """After 256 impressions of a domain; before, and in other domains, it is the prior."""
    model, truth = taught(), np.linspace(1.0, 0.2, RANKS)
    model.shown.examination.pairs[0] = as_pairs(truth, 500.0)
    for n in range(260):
        if n == 255:
            model.shown.learn()
            assert (model.shown.curves == prior_curve()).all()
        show(model, f"w{n % 20}", ["m1", "m2"], n)
    model.shown.learn()
    assert model.shown.curves[0] == pytest.approx(truth, rel=0.05)
    assert (model.shown.curves[1:] == prior_curve()).all()


def test_nothing_costs_anything_without_impressions() -> None:
    """Nothing waits, no table has rows, and lists are made as before."""
    model = taught()
    assert model.impressions.take_waiting() == []
    assert not any(model.appeal.known(d) for d in range(3))
    assert not any(model.shown.lists.active(d) for d in range(3))
    assert model.shown.clicks.impressions.tolist() == [0, 0, 0]
    assert set(lines(model, "u3")[0].why).isdisjoint(MORE)


def test_a_told_appeal_orders_lists() -> None:
    """A learner that is told appeals ranks by them at once, in units of its scores."""
    model = taught()
    ids = [line.item_id for line in lines(model, "u3", 40)]
    model.appeal.tell("movies", ids, [10.0 * n for n in range(len(ids))])
    again = lines(model, "u3", 40)
    assert [line.item_id for line in again[:20]] == ids[::-1][:20]
    assert again[0].why["appeal"] == pytest.approx(10.0 * (len(ids) - 1) / model.shown.clicks.slope(0, 0))


@pytest.mark.parametrize("explore", [0.0, 1.0])
def test_a_state_goes_on(explore: float) -> None:
    """A restored learner learns, draws and lists the same, bit for bit; an early state has learned nothing of this."""
    model, again = played(explore), made(explore)
    model.lists(["u3"], "movies", Wish(10, draw=AT))
    again.load(read_back(model.state()))
    items = [line.item_id for line in lines(model, "u3", 10, AT + 1)]
    assert items == [line.item_id for line in lines(again, "u3", 10, AT + 1)]
    for one in (model, again):
        show(one, "u3", items, 1000, list_ts=AT + 1)
        click(one, "u3", items[0], 1000)
        one.learn([event(n) for n in range(96, 104)])
    assert differences(read_back(model.state()), read_back(again.state())) == []
    early, fresh = model.state(), made(explore)
    del early["exposure"]
    fresh.load(read_back(early))
    assert not fresh.appeal.known(0)


def test_rows_forget() -> None:
    """A forgotten user's drawn lists are gone; an evicted item's appeal is."""
    model = played(1.0)
    lines(model, "u3", 10, AT)
    row = model.users.get("u3")
    assert row is not None
    assert list(model.shown.drawn.of(row))
    model.forget_user("u3")
    assert not list(model.shown.drawn.of(row))
    item = model.item_row("movies", "m3")
    assert item is not None
    for n in range(80):
        model.put_item(Item("movies", f"other{n}", f"Other {n}"))
    assert model.item_row("movies", "m3") is None
    assert model.appeal.column(0, "shows", np.array([item])).tolist() == [0.0]


def test_what_is_drawn_and_what_is_new_are_counted() -> None:
    """Places of drawn lists, those whose item is not among the best, and shows of items that were hardly shown."""
    model = played(explore=5.0)
    # Ten items come 24 times each. The first 20 times they are new, and with what is learned together a little longer.
    assert 200 <= model.shown.counts[0, "new"] <= 220
    assert model.shown.counts[0, "drawn"] == 0
    model.shown.counts.clear()
    best = {line.item_id for line in lines(model, "w3", 5)}
    explored = 0
    for draw in range(20):
        explored += len({line.item_id for line in lines(model, "w3", 5, draw)} - best)
    assert model.shown.counts[0, "drawn"] == 100
    assert model.shown.counts[0, "explored"] == explored
    assert 0 < explored < 100
