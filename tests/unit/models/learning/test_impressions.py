"""What users were shown is kept within a bound, and each click finds the impression that it answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.learning.impressions import Answer, Shown, ShownLists
from models.learning.learner import Learner
from models.schema import Impression, Interaction
from models.tables.catalogue import item_hash
from tests.support.learners.learner_stream import START, describe, event, feed, learner, restored
from tests.support.learners.states import differences

MINUTE = 60_000


def show(
    model: Learner, *items: str, at: int = 0, user: str = "u1", domain: str = "movies", **more: Any
) -> str:
    """Let the learner take an impression. at: ms after the start."""
    catalogue = model.catalogues[model.index[domain]]
    return model.impressions.take(Impression(domain, user, items, START + at, **more), catalogue)


def click(
    model: Learner, item: str, at: int, user: str = "u1", domain: str = "movies", **more: Any
) -> Answer | None:
    """Return what a click answers, without the times of the impression. at: ms after the start."""
    found = model.impressions.answer(Interaction(domain, "click", user, item, START + at, **more))
    return None if found is None else found._replace(on_top=False, time=0, list_ts=0)


def held(model: Learner, user: str = "u1") -> list[Shown]:
    row = model.users.get(user)
    return [] if row is None else list(model.impressions.lists.of(row))


def of(count: int, number: int = 1) -> Shown:
    """Return an impression of `count` items."""
    items = np.arange(count, dtype=np.int64) + 1000 * number
    return Shown(5, number, number, 0, items, np.zeros(-(-count // 63), np.int64))


# The lists


@pytest.mark.parametrize(("items", "most"), [(1, 36), (10, 16), (20, 9), (63, 3), (64, 3), (200, 1)])
def test_a_list_holds_the_latest(items: int, most: int) -> None:
    """As many as fit into 256 numbers; what is left of the oldest is never read."""
    lists = ShownLists()
    for number in range(1, 60):
        lists.add(3, of(items, number))
        read = list(lists.of(3))
        assert [shown.id for shown in read] == list(range(number, max(0, number - most), -1))
        assert all(shown.items.tolist() == of(items, shown.id).items.tolist() for shown in read)


def test_lists_of_users_are_apart() -> None:
    """One is dropped, and the other stays with its marks."""
    lists = ShownLists()
    for number, user in enumerate((0, 7, 0, 7), 1):
        lists.add(user, of(100, number))
    newest, _ = lists.of(7)
    for place in (0, 62, 63, 99):
        lists.mark(7, newest, place)
    lists.drop_user(0)
    assert list(lists.of(0)) == list(lists.of(1)) == list(lists.of(100)) == []
    newest, oldest = lists.of(7)
    assert np.flatnonzero(newest.clicked).tolist() == [0, 62, 63, 99]
    assert (newest.id, oldest.id, oldest.clicked.any()) == (4, 2, False)
    lists.drop_user(7)
    assert lists.empty


# Which impression is meant


def test_without_impressions_nothing_is_answered() -> None:
    """None, and the user gets no row."""
    model = learner()
    assert click(model, "m1", 0) is None
    assert len(model.users) == 0


def test_a_click_answers_an_item() -> None:
    """With its place, and with what was clicked before; a second click of the item answers it again."""
    model = learner()
    assert show(model, "m1", "m2", "m3", "m2") == "kept"
    assert click(model, "m2", 10) == Answer("answered", 1)
    assert click(model, "m2", 20) == Answer("again", 1, 1)
    assert click(model, "m3", 30) == Answer("answered", 2, 1, above=True)
    assert click(model, "m1", 40) == Answer("answered", 0, 2)
    assert click(model, "m9", 50) == Answer("unshown")
    assert click(model, "m1", 60, user="u2") == Answer("unshown")
    assert click(model, "m1", 60, domain="games") == Answer("unshown")


def test_the_window_is_half_an_hour() -> None:
    """No later than it, no earlier than the impression."""
    model = learner()
    show(model, "m1", "m2")
    assert click(model, "m1", -1) == Answer("unshown")
    assert click(model, "m1", 30 * MINUTE + 1) == Answer("unshown")
    assert click(model, "m1", 30 * MINUTE) == Answer("answered", 0)
    assert click(model, "m2", 0) == Answer("answered", 1, 1, above=True)


def test_the_latest_that_showed_the_item_is_meant() -> None:
    """By time, whatever came first; those that did not show it do not count."""
    model = learner()
    assert show(model, "m1", "m2", at=2 * MINUTE) == "kept"
    assert show(model, "m2", "m1", at=MINUTE) == "out_of_order"
    assert show(model, "m3", at=3 * MINUTE) == "kept"
    assert click(model, "m1", 4 * MINUTE) == Answer("answered", 0)
    assert click(model, "m1", MINUTE) == Answer("answered", 1)


def test_of_two_at_one_time_the_one_that_came_last_is_meant() -> None:
    model = learner()
    show(model, "m1", "m2", event_id="a")
    show(model, "m2", "m1", event_id="b")
    assert click(model, "m2", 0) == Answer("answered", 0)
    assert [int(shown.clicked.sum()) for shown in held(model)] == [1, 0]


def test_an_event_may_name_its_impression() -> None:
    """Then no other is meant, however late it comes; one that is not there, or did not show the item, is missing."""
    model = learner()
    show(model, "m1", "m2", event_id="a")
    show(model, "m2", "m1", at=MINUTE, event_id="b")
    assert click(model, "m2", 2 * MINUTE, impression="a") == Answer("answered", 1)
    assert click(model, "m1", 90 * MINUTE, impression="a") == Answer("answered", 0, 1)
    assert click(model, "m1", 2 * MINUTE, impression="c") == Answer("missing")
    assert click(model, "m3", 2 * MINUTE, impression="a") == Answer("missing")
    assert click(model, "m2", 2 * MINUTE, impression="a", user="u2") == Answer("missing")
    assert click(learner(), "m2", 2 * MINUTE, impression="a") == Answer("missing")


def test_what_comes_too_late_is_not_kept() -> None:
    """More than the window before the user's newest impression. What is too old then is dropped."""
    model = learner()
    show(model, "m1")
    assert show(model, "m2", at=40 * MINUTE) == "kept"
    assert len(held(model)) == 1
    assert show(model, "m3", at=10 * MINUTE - 1) == "late"
    assert show(model, "m4", at=10 * MINUTE) == "out_of_order"
    assert show(model, "m3", at=0, user="u2") == "kept"
    assert [shown.time - START for shown in held(model)] == [10 * MINUTE, 40 * MINUTE]


def test_items_need_no_row() -> None:
    """Hashes stand for them, those of items with a row as those of others."""
    model = learner()
    describe(model)
    show(model, "m1", "other", "m2", list_ts=START - 5)
    (shown,) = held(model)
    assert shown.items.tolist() == [item_hash("m1"), item_hash("other"), item_hash("m2")]
    assert (shown.domain, shown.id, shown.list_ts) == (item_hash("movies"), 0, START - 5)
    assert click(model, "other", 5) == Answer("answered", 1)


# Users


def test_an_impression_is_a_sight_of_its_user() -> None:
    """They get a row, as the most recently seen user, and a list like anybody's."""
    model = learner(users=8)
    describe(model)
    for n in range(8):
        model.learn([Interaction("movies", "click", f"u{n}", "m1", START + n)])
    show(model, "m1", user="u0")
    show(model, "m1", user="new")
    assert "u1" not in model.users
    assert {"u0", "new"} < set(model.users)
    shown, unknown = model.recommend(["new", None], "movies", 5)
    assert [one.item_id for one in shown] == [one.item_id for one in unknown]
    assert model.user_vectors(["new"]).tolist() == model.user_vectors(["nobody"]).tolist()
    facts = model.learn([Interaction("movies", "rating", "new", "m2", START + 9, 4.0)])
    assert np.isfinite(facts.of(0).prediction)
    assert click(model, "m1", 10, user="new") == Answer("answered", 0)


def test_what_a_user_was_shown_goes_with_their_row() -> None:
    """Both when they are evicted and when they are forgotten. The next owner of the row begins with nothing."""
    model = learner(users=2)
    show(model, "m1", user="a")
    show(model, "m1", user="b")
    show(model, "m2", user="c")
    assert held(model, "a") == []
    assert click(model, "m1", 5, user="c") == Answer("unshown")
    assert model.forget_user("b") is not None
    show(model, "m3", user="d")
    assert [shown.items.tolist() for shown in held(model, "d")] == [[item_hash("m3")]]


# State


def test_a_state_has_them() -> None:
    """With their marks; a state from before they were kept begins with none."""
    model = learner()
    describe(model)
    feed(model, 0, 40)
    for n in range(30):
        show(model, *(f"m{k}" for k in range(n, n + 12)), at=n * MINUTE, user=f"u{n % 4}", event_id=f"e{n}")
    click(model, "m28", 28 * MINUTE, user="u0")
    again = restored(model.state())
    for user in ("u0", "u1", "u2", "u3"):
        assert repr(held(again, user)) == repr(held(model, user))
    assert click(again, "m28", 29 * MINUTE, user="u0") == Answer("again", 0, 1)
    early = {name: part for name, part in model.state().items() if name != "shown"}
    assert restored(early).impressions.lists.empty


def test_impressions_change_nothing_of_what_events_teach() -> None:
    """All that is learned of events is the same, bit for bit, with impressions between them."""
    plain, other = learner(), learner()
    for model in (plain, other):
        describe(model)
        feed(model, 0, 64)
    for n in range(64, 128, 8):
        for user in sorted(plain.users):
            show(other, "m1", "m2", at=1000 * n, user=user)
        for model in (plain, other):
            feed(model, n, n + 8)
    after = [event(n) for n in range(128, 140)]
    one, two = plain.learn(after), other.learn(after)
    assert differences([one.rank, one.prediction], [two.rank, two.prediction]) == []
    parts = {path.split(".")[1] for path in differences(plain.state(), other.state())}
    assert parts == {"shown", "exposure", "users"}
    users = sorted(plain.users)
    for domain in ("books", "games"):
        assert plain.recommend(users, domain, 10) == other.recommend(users, domain, 10)
