"""An explanation agrees with the published list, its parts add up, and past items are the user's own."""

from __future__ import annotations

import numpy as np
import pytest

from models.arms.arm_comparison import ArmComparison
from models.arms.explanation import explain
from models.schema import Domain, Interaction, Item
from models.settings import ARMS, Arm, LearningSettings, RankerSettings
from models.threads import use_one_thread
from tests.support.learners.described_items import put_described
from tests.support.store.following import follow

WORDS = ("dark", "merry")
DOMAINS = [Domain("films"), Domain("books", "target")]


def taught(diversity: float = 0.0) -> ArmComparison:
    """Two kinds of users and of items, in two domains, learned with one thread as the service does."""
    use_one_thread()
    made = ArmComparison(
        DOMAINS, LearningSettings(users=64, items_per_domain=64, ranker=RankerSettings(diversity))
    )
    items = [
        Item(d, f"{d[0]}{n}", f"{WORDS[n % 2]} tale {n} of {WORDS[n % 2]} days")
        for d in made.full.index
        for n in range(40)
    ]
    put_described(made, items)
    for n in range(600):
        user, domain = n % 12, "films" if (n // 12) % 3 else "books"
        item = f"{domain[0]}{(2 * (n // 12) + user % 2) % 40}"  # even users like dark items, odd ones merry items
        made.learn([Interaction(domain, "rating", f"u{user}", item, 1_700_000_000_000 + n * 1000, 4.0)])
        if made.full.waiting >= 128:
            made.end_batch()
    return made


@pytest.fixture(scope="module")
def learner() -> ArmComparison:
    return taught()


@pytest.fixture(scope="module")
def diverse() -> ArmComparison:
    return taught(0.7)


def test_the_parts_add_up_for_choice_and_rating(learner: ArmComparison) -> None:
    """Contributions sum to the score, rating parts to the rating."""
    found = explain(learner, "u2", "b38", "books")
    assert sum(found.why.values()) == pytest.approx(found.score, abs=1e-5)
    assert sum(found.rating_parts.values()) == pytest.approx(found.rating, abs=1e-5)


@pytest.mark.parametrize("user", ["u2", "nobody"])
@pytest.mark.parametrize("arm", ARMS)
def test_what_is_explained_is_what_is_published(
    learner: ArmComparison, diverse: ArmComparison, arm: Arm, user: str
) -> None:
    """For every arm, with and without diversity, each line of the list is explained by its place, score and parts."""
    top, orders = 6, []
    for arms in (learner, diverse):
        follow(arms, "books", arm)
        lines = arms.recommend([user], "books", top)[0]
        orders.append([line.item_id for line in lines])
        assert len(lines) == top
        for place, line in enumerate(lines):
            found = explain(arms, user, line.item_id, "books", top)
            assert (found.arm, found.listed, found.rank) == (arm, True, place)
            assert (found.score, found.why, found.title) == (line.score, line.why, line.title)
        others = [explain(arms, user, f"b{n}", "books", top) for n in range(40) if f"b{n}" not in orders[-1]]
        others = [found for found in others if found.rank is not None]
        assert not any(found.listed for found in others)
        by_rank = sorted(others, key=lambda found: (found.rank, -found.score))
        assert by_rank[0].rank >= top
        assert (np.diff([found.score for found in by_rank]) <= 1e-5).all()
        follow(arms, "books", "full")
    assert orders[0] != orders[1]


def test_the_arm_that_serves_explains_by_what_it_knows(learner: ArmComparison) -> None:
    """The target-only arm has no part of films and the network; a single signal is the whole score."""
    follow(learner, "books", "target_only")
    why = explain(learner, "u2", "b38", "books").why
    assert max(abs(why["co_visitation_sources"]), abs(why["affinity"])) < 1e-5
    assert max(why.values()) > 0.1
    follow(learner, "books", "text")
    assert {name for name, part in explain(learner, "u2", "b38", "books").why.items() if part} == {"text"}
    follow(learner, "books", "full")


def test_of_a_domain_without_lists_that_is_said() -> None:
    arms = ArmComparison([Domain("films", recommend=False)], LearningSettings(users=64, items_per_domain=64))
    arms.learn([Interaction("films", "click", "u", "f1", 1_700_000_000_000)])
    found = explain(arms, "v", "f1", "films")
    assert (found.rank, found.listed) == (None, False)
    assert "recommend = false" in found.why_not


def test_an_item_that_was_had_is_explained_without_a_rank(learner: ArmComparison) -> None:
    """An item that the user had has no rank, but its score is explained."""
    found = explain(learner, "u2", "f0", "films")
    assert found.rank is None
    assert sum(found.why.values()) == pytest.approx(found.score, abs=1e-5)


def test_past_items_are_the_users_and_name_their_domain(learner: ArmComparison) -> None:
    """Past items are of both domains, without the item itself, similar ones first; an unknown user has none."""
    found = explain(learner, "u2", "b38", "books")
    assert found.past
    assert all(p.item_id != "b38" for p in found.past)
    assert all(p.title.startswith("dark") for p in found.past[:3])
    assert {p.domain for p in explain(learner, "u2", "b38", "books", past=50).past} == {"films", "books"}
    assert explain(learner, "nobody", "b38", "books").past == []


def test_unknown_things_are_named(learner: ArmComparison) -> None:
    """An unknown domain or item is a KeyError that names it."""
    with pytest.raises(KeyError, match="the state has films, books"):
        explain(learner, "u2", "b1", "games")
    with pytest.raises(KeyError, match="not seen in books"):
        explain(learner, "u2", "zzz", "books")


def test_why_an_item_is_not_for_them(learner: ArmComparison) -> None:
    """Each reason has its text; an unknown user is named as such."""
    assert explain(learner, "u2", "f0", "films").why_not == "they have had it"
    learner.put_item(Item("films", "f39", "gone", available=False))
    assert "not available" in explain(learner, "nobody", "f39", "films").why_not
    found = explain(learner, "nobody", "f1", "films")
    assert (found.why_not, found.known) == ("", False)
    strict = ArmComparison([Domain("films", catalogue="required", deny=frozenset({"f2"}))])
    for item in ("f1", "f2"):
        strict.learn([Interaction("films", "click", "u", item, 1_700_000_000_000, None)])
    assert "item event" in explain(strict, "v", "f1", "films").why_not
    assert "deny" in explain(strict, "v", "f2", "films").why_not
