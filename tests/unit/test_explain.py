"""Why an item: the parts add up, whether it would be recommended or not, and past items are the user's own."""

from __future__ import annotations

import pytest

from models.explain import explain
from models.interaction import Domain, Interaction, Item
from models.learner import Learner
from models.text_encoder import HashingEncoder

WORDS = ("dark", "merry")


@pytest.fixture(scope="module")
def learner() -> Learner:
    made = Learner([Domain("films"), Domain("books", "target")])
    items = [
        Item(d, f"{d[0]}{n}", f"{WORDS[n % 2]} tale {n} of {WORDS[n % 2]} days")
        for d in made.index
        for n in range(40)
    ]
    for item in items:
        made.put_item(item)
    raw = HashingEncoder().encode([i.words() for i in items])
    made.put_text_vectors({(i.domain, i.item_id): v for i, v in zip(items, raw, strict=True)}, idle=True)
    for n in range(600):
        user, domain = n % 12, "films" if (n // 12) % 3 else "books"
        item = f"{domain[0]}{(2 * (n // 12) + user % 2) % 40}"  # even users like dark, odd ones merry
        event = Interaction(domain, "rating", f"u{user}", item, 1_700_000_000_000 + n * 1000, 4.0)
        made.learn(event, made.score(event))
        if made.waiting >= 128:
            made.end_batch()
    return made


def test_the_parts_add_up_for_choice_and_rating(learner: Learner) -> None:
    """Contributions sum to the score, rating parts to the rating; a listed item shows the same as on its list."""
    best = learner.recommend(["u2"], "books", 5)[0][0]
    found = explain(learner, "u2", best.item_id, "books")
    assert sum(found.why.values()) == pytest.approx(found.score, abs=1e-5)
    assert sum(found.rating_parts.values()) == pytest.approx(found.rating, abs=1e-5)
    assert found.score == pytest.approx(best.score, abs=1e-5)
    assert found.rank == 0
    assert found.title == best.title


def test_an_item_that_was_had_is_explained_without_a_rank(learner: Learner) -> None:
    """It is not recommendable, but why it would be can still be asked."""
    found = explain(learner, "u2", "f0", "films")
    assert found.rank is None
    assert sum(found.why.values()) == pytest.approx(found.score, abs=1e-5)


def test_past_items_are_the_users_and_name_their_domain(learner: Learner) -> None:
    """Of both domains, never the item itself, the alike ones first; an unknown user has none."""
    found = explain(learner, "u2", "b38", "books")
    assert found.past
    assert all(p.item_id != "b38" for p in found.past)
    assert all(p.title.startswith("dark") for p in found.past[:3])
    assert {p.domain for p in explain(learner, "u2", "b38", "books", past=50).past} == {"films", "books"}
    assert explain(learner, "nobody", "b38", "books").past == []


def test_unknown_things_are_named(learner: Learner) -> None:
    """A KeyError that says which domain or item is unknown."""
    with pytest.raises(KeyError, match="the state has films, books"):
        explain(learner, "u2", "b1", "games")
    with pytest.raises(KeyError, match="not seen in books"):
        explain(learner, "u2", "zzz", "books")


def test_why_an_item_is_not_for_them(learner: Learner) -> None:
    """Each reason has its words; of a user whom nobody knows that is said."""
    assert explain(learner, "u2", "f0", "films").why_not == "they have had it"
    learner.put_item(Item("films", "f39", "gone", available=False))
    assert "not available" in explain(learner, "nobody", "f39", "films").why_not
    found = explain(learner, "nobody", "f1", "films")
    assert (found.why_not, found.known) == ("", False)
    strict = Learner([Domain("films", catalogue="required", deny=frozenset({"f2"}))])
    for item in ("f1", "f2"):
        event = Interaction("films", "click", "u", item, 1_700_000_000_000, None)
        strict.learn(event, strict.score(event))
    assert "item event" in explain(strict, "v", "f1", "films").why_not
    assert "deny" in explain(strict, "v", "f2", "films").why_not
