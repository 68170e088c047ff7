"""What both readers can be asked, on a real store: many users, filters, neighbours, own candidates, wrong domains."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from consumers.demo.embedded_servers import Server
from serving.client import AsyncReader, Reader, Refused, UnknownDomain, Unreachable
from tests.support.store.page import PAGE, fill
from tests.support.store.reading import KEYS, Asked, listing, put_item, put_meta, put_user


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, legacy_responses=False) as made:
        yield made


@pytest.fixture
def ask(redis_url: str) -> Asked:
    return Asked(redis_url)


def names(found: object) -> list[str]:
    return [item.id for item in found.items]  # type: ignore[attr-defined]


def test_many_users_in_one_round_trip(ask: Asked, client: redis.Redis) -> None:
    """Each has their own list or the popular one, in the order asked; a name given twice counts once."""
    client.set(KEYS.popular("books"), listing("p1", "p2"))
    for user in ("ann", "bob"):
        client.set(KEYS.recommendations(user, "books"), listing(f"{user}1", f"{user}2"))
    found = ask("recommend_many", ["bob", "new", "ann", "bob"], "books", 1)
    assert [(user, got.origin, names(got)) for user, got in found.items()] == [
        ("bob", "personal", ["bob1"]),
        ("new", "popular", ["p1"]),
        ("ann", "personal", ["ann1"]),
    ]
    assert ask("recommend_many", [], "books") == {}
    assert names(ask("recommend_many", ["ann"], "books", exclude={"ann1"})["ann"]) == ["ann2"]


def test_an_unknown_domain_is_an_error_that_names_the_known_ones(ask: Asked, client: redis.Redis) -> None:
    """For every question; a known domain without lists, and a store without anything, are just empty."""
    assert ask("recommend", "ann", "bokks").origin == "empty"
    put_meta(client)
    expected = "no domain 'bokks' in this store; it has books, movies"
    for question in (
        ("recommend", "ann", "bokks"),
        ("recommend_many", ["ann"], "bokks"),
        ("similar", "dune", "bokks"),
        ("rank", "ann", "bokks", ["dune"]),
    ):
        with pytest.raises(UnknownDomain, match=expected) as caught:
            ask(*question)
        assert (caught.value.domain, caught.value.known) == ("bokks", ["books", "movies"])
    assert ask("recommend", "ann", "books").origin == "empty"
    assert ask("recommend_many", ["ann"], "books")["ann"].origin == "empty"
    assert ask("similar", "dune", "books") == ([], None)


def test_exclude(ask: Asked, client: redis.Redis) -> None:
    """What is left out makes room for the next; with nothing left the popular list follows, then none of both."""
    client.set(KEYS.recommendations("ann", "books"), listing("a", "b", "c"))
    client.set(KEYS.popular("books"), listing("p", "b"))
    assert names(ask("recommend", "ann", "books", 2, exclude={"a"})) == ["b", "c"]
    found = ask("recommend", "ann", "books", exclude=["a", "b", "c"])
    assert (found.origin, names(found)) == ("popular", ["p"])
    assert names(ask("recommend", "ann", "books", exclude={"a", "b", "c", "p"})) == []


def test_a_filter_that_leaves_nothing(ask: Asked, client: redis.Redis) -> None:
    """The answer is still that of the user's own list, or else of the popular one: origin, age, model and time."""
    client.set(KEYS.popular("books"), listing("p", age=60))
    for options in ({"exclude": {"p"}}, {"category": "none"}, {"k": 0}):
        found = ask("recommend", "ann", "books", **options)
        assert (found.items, found.origin, found.model) == ([], "popular", 7)
    client.set(KEYS.recommendations("ann", "books"), listing("a", age=600))
    whole = ask("recommend", "ann", "books")
    for options in ({"exclude": {"a", "p"}}, {"category": "none"}, {"k": 0}):
        found = ask("recommend", "ann", "books", **options)
        assert (found.items, found.origin, found.published_ts) == ([], "personal", whole.published_ts)
        assert found.age_seconds >= 600
    client.set(KEYS.similar("books", "a"), listing("b", age=60))
    found = ask("similar", "a", "books", 0)
    assert found.items == []
    assert found.age_seconds >= 60


def test_a_visitor_without_an_id(ask: Asked, client: redis.Redis) -> None:
    """They get the popular list, also if a user is called None; candidates are ranked by popularity."""
    client.set(KEYS.recommendations("None", "books"), listing("a"))
    client.set(KEYS.popular("books"), listing("p"))
    found = ask("recommend", None, "books")
    assert (found.origin, names(found)) == ("popular", ["p"])
    put_item(client, "loved", [1, 0], popularity=9.0)
    put_item(client, "known", [1, 0])
    assert [item.id for item in ask("rank", None, "books", ["known", "loved"])] == ["loved", "known"]
    assert ask("rank", None, "books", []) == []


@pytest.mark.parametrize(
    ("question", "options", "kind", "said"),
    [
        (("recommend", 7, "books"), {}, TypeError, "user=7: a str is wanted, as in the events, not int"),
        (("recommend", "ann", None), {}, TypeError, "domain=None"),
        (("recommend", "ann", "books", -1), {}, ValueError, "k=-1: a number of items is wanted, 0 or more"),
        (("recommend", "ann", "books", 2.5), {}, TypeError, "k=2.5"),
        (("recommend", "ann", "books"), {"exclude": "dune"}, TypeError, "exclude='dune': a collection of str"),
        (("recommend", "ann", "books"), {"exclude": {7}}, TypeError, "exclude: an element=7"),
        (("recommend", "ann", "books"), {"category": 7}, TypeError, "category=7"),
        (("recommend", "ann", "books"), {"diversity": 1.5}, ValueError, "diversity=1.5: a number from 0 to 1"),
        (("recommend", "ann", "books"), {"diversity": float("nan")}, ValueError, "diversity=nan"),
        (("recommend", "ann", "books"), {"diversity": "much"}, TypeError, "diversity='much'"),
        (("recommend_many", "ann", "books"), {}, TypeError, "users='ann': a collection of str"),
        (("recommend_many", ["ann", None], "books"), {}, TypeError, "users: an element=None"),
        (("recommend_many", ["ann"], "books", -1), {}, ValueError, "k=-1"),
        (("similar", 7, "books"), {}, TypeError, "item=7"),
        (("similar", "dune", "books"), {"diversity": -0.1}, ValueError, "diversity=-0.1"),
        (("rank", "ann", "books", "dune"), {}, TypeError, "candidates='dune': a collection of str"),
        (("titles", "books", "dune"), {}, TypeError, "items='dune': a collection of str"),
    ],
)  # fmt: skip
def test_wrong_arguments(ask: Asked, question: Any, options: Any, kind: type[Exception], said: str) -> None:
    """They are errors that say what is wanted, on an empty store too, from both readers."""
    with pytest.raises(kind, match=re.escape(said)):
        ask(*question, **options)


def test_category(ask: Asked, client: redis.Redis) -> None:
    """Only items with the tag, whole: a tag is not found in the middle of another."""
    put_meta(client)
    client.set(KEYS.recommendations("ann", "books"), listing("a", "b", "c", "gone"))
    put_item(client, "a", [1, 0], tags="space,old")
    put_item(client, "b", [1, 0], tags="spaceship")
    put_item(client, "c", [1, 0], tags="space")
    assert names(ask("recommend", "ann", "books", category="space")) == ["a", "c"]
    assert names(ask("recommend", "ann", "books", 1, category="space", exclude={"a"})) == ["c"]
    assert names(ask("recommend", "ann", "books", category="none")) == []


def test_diversity(ask: Asked, client: redis.Redis) -> None:
    """The copy of the first gives way to what differs; without diversity the order is that of the list."""
    client.set(KEYS.recommendations("ann", "books"), listing("dune", "dune2", "garden"))
    put_item(client, "dune", [1, 0])
    put_item(client, "dune2", [1, 0])
    put_item(client, "garden", [0, 1])
    assert names(ask("recommend", "ann", "books", 2)) == ["dune", "dune2"]
    assert names(ask("recommend", "ann", "books", 2, diversity=0.5)) == ["dune", "garden"]


def test_similar(ask: Asked, client: redis.Redis) -> None:
    """The neighbours with their age, filtered as lists are; a damaged record counts as none."""
    client.set(KEYS.similar("books", "dune"), listing("hyperion", "solaris", "emma", age=60))
    put_item(client, "solaris", [1, 0], tags="space")
    found = ask("similar", "dune", "books", 2)
    assert names(found) == ["hyperion", "solaris"]
    assert found.items[0].why == {"text": 1.0}
    assert found.age_seconds is not None
    assert 60 <= found.age_seconds < 120
    assert names(ask("similar", "dune", "books", exclude={"hyperion"})) == ["solaris", "emma"]
    assert names(ask("similar", "dune", "books", category="space")) == ["solaris"]
    client.set(KEYS.similar("books", "dune"), b"{")
    assert ask("similar", "dune", "books") == ([], None)


def test_rank(ask: Asked, client: redis.Redis) -> None:
    """The list's items first, the others by vectors and popularity, unknown ones last; a repeat counts once."""
    put_user(client, "ann", [1, 0])
    put_item(client, "near", [2, 0])
    put_item(client, "far", [-2, 0])
    put_item(client, "listed", [-3, 0])
    client.set(KEYS.recommendations("ann", "books"), listing("other", "listed"))
    asked = ["far", "new", "near", "listed", "near"]
    found = ask("rank", "ann", "books", asked)
    assert [item.id for item in found] == ["listed", "near", "far", "new"]
    assert [item.known for item in found] == [True, True, True, False]
    alone = ask("rank", "ann", "books", asked, use_list=False)
    assert [item.id for item in alone] == ["near", "far", "listed", "new"]
    assert ask("rank", "ann", "books", []) == []


def test_status(ask: Asked, client: redis.Redis) -> None:
    """Domains, age and model; an empty store has none."""
    assert ask("status") == ([], None, None)
    put_meta(client)
    found = ask("status")
    assert (found.domains, found.model) == (["books", "movies"], 3)
    assert found.age_seconds is not None
    assert found.age_seconds < 60


def test_an_unreachable_store(own_store: Server) -> None:
    """Both readers raise, with the address; both work again once it is back."""

    async def later() -> None:
        async with AsyncReader(own_store.url, timeout=0.5) as reader:
            assert (await reader.recommend("ann", "books")).origin == "empty"
            own_store.stop()
            with pytest.raises(Unreachable, match=str(own_store.port)):
                await reader.recommend("ann", "books")
            own_store.start()
            assert (await reader.recommend("ann", "books")).origin == "empty"

    asyncio.run(later())
    with Reader(own_store.url, timeout=0.5) as reader:
        assert reader.similar("dune", "books").items == []
        own_store.stop()
        with pytest.raises(Unreachable, match=str(own_store.port)):
            reader.similar("dune", "books")


def test_the_rights_of_a_reader(own_store: Server) -> None:
    """Those that the page for readers names are enough for every question; without them the store refuses, by name."""
    (rights,) = re.findall(r"`(~cc:\* [^`]+)`", PAGE.read_text(encoding="utf-8"))
    with redis.Redis.from_url(own_store.url, legacy_responses=False) as client:  # type: ignore[attr-defined]
        client.execute_command("ACL", "SETUSER", "shop", "on", ">secret", *rights.split())
        fill(client)
    with Reader(own_store.url, username="shop", password="secret") as reader:
        assert reader.recommend("alice", "books", category="space", diversity=0.5).origin == "personal"
        assert reader.recommend_many(["alice"], "books")["alice"].origin == "personal"
        assert reader.similar("dune", "books").items
        assert reader.rank("alice", "books", ["dune"])
        assert reader.titles("books", ["dune"]) == {"dune": "Dune"}
        assert reader.status().domains
    other = Reader(own_store.url, prefix="other", username="shop", password="secret")
    with (
        other,
        pytest.raises(
            Refused, match=r"lacks a right that readers need \(NoPermissionError: .*no permissions"
        ),
    ):
        other.recommend("alice", "books")


def test_a_wrong_password(own_store: Server) -> None:
    """Both readers say so, in the store's words too; the password is in no message."""
    with redis.Redis.from_url(own_store.url, legacy_responses=False) as client:  # type: ignore[attr-defined]
        client.execute_command("ACL", "SETUSER", "shop", "on", ">secret", "~cc:*", "+get")
    given = {"username": "shop", "password": "hunter2"}

    async def later() -> None:
        async with AsyncReader(own_store.url, **given) as reader:
            await reader.recommend("ann", "books")

    expected = r"password is wrong or missing \(AuthenticationError: .*invalid username-password pair"
    with pytest.raises(Refused, match=expected) as first, Reader(own_store.url, **given) as reader:
        reader.recommend("ann", "books")
    with pytest.raises(Refused, match=expected) as second:
        asyncio.run(later())
    assert "hunter2" not in f"{first.value}{second.value}"


def test_many_tasks_share_a_reader(redis_url: str, client: redis.Redis) -> None:
    """Fifty at once, each with its own answer."""
    for n in range(50):
        client.set(KEYS.recommendations(f"u{n}", "books"), listing(f"b{n}"))

    async def later() -> list[list[str]]:
        async with AsyncReader(redis_url) as reader:
            return [
                names(got)
                for got in await asyncio.gather(*(reader.recommend(f"u{n}", "books") for n in range(50)))
            ]

    assert asyncio.run(later()) == [[f"b{n}"] for n in range(50)]
