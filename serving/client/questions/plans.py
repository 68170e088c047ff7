"""Say which commands answer a question, and what to make of the answers. Readers only send and receive.

A plan is a generator. It yields the commands of one round trip, is sent their answers (None for a key of another type
than the command reads), and returns the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar

import msgspec

from ..answers import Origin, RankedItem, Recommended, Similar, Status
from ..errors import UnknownDomain
from ..keys import Keys
from ..lists import ListedItem, RecommendationList, decode_list
from .scoring import Candidate, ranked
from .vectors import decode_vector, diverse

Result = TypeVar("Result")
Command = tuple[str, ...]
Plan = Generator[list[Command], list[Any], Result]


class Choice(NamedTuple):
    """Which items of a list are wanted.

    k: most items. exclude: ids to leave out. category: only items with this tag. diversity: 0 keeps the list's order,
    1 looks only at how little an item is like those before it.
    """

    k: int
    exclude: frozenset[str] = frozenset()
    category: str | None = None
    diversity: float = 0.0


def recommend(keys: Keys, user: str | None, domain: str, choice: Choice) -> Plan[Recommended]:
    """Read a user's list, or else the popular one. user: None has no list."""
    commands: list[Command] = [] if user is None else [("GET", keys.recommendations(user, domain))]
    *owned, popular = yield [*commands, ("GET", keys.popular(domain))]
    own = owned[0] if owned else None
    result = yield from _first(keys, domain, own, partial(readable, popular), choice)
    if own is None and popular is None:
        yield from _known(keys, domain)
    return result


def recommend_many(keys: Keys, users: Sequence[str], domain: str, choice: Choice) -> Plan[list[Recommended]]:
    """Read the lists of many users in one round trip."""
    commands = [("GET", keys.recommendations(user, domain)) for user in users]
    *own, popular = yield [*commands, ("GET", keys.popular(domain))]
    fallback = cache(partial(readable, popular))  # many users may need it
    results = []
    for data in own:
        found = yield from _first(keys, domain, data, fallback, choice)
        results.append(found)
    if own and popular is None and not any(own):
        yield from _known(keys, domain)
    return results


def _first(
    keys: Keys,
    domain: str,
    personal: bytes | None,
    popular: Callable[[], RecommendationList | None],
    choice: Choice,
) -> Plan[Recommended]:
    """Return the first list that has an item of the choice; if none has, the first list, without items.

    popular: decodes the list of all users, if it is needed.
    """
    nothing = Recommended([], "empty", None, None)
    lists: tuple[tuple[Origin, Callable[[], RecommendationList | None]], ...] = (
        ("personal", partial(readable, personal)),
        ("popular", popular),
    )
    for origin, decoded in lists:
        record = decoded()
        if record is not None and record.items:
            items = yield from _chosen(keys, domain, record.items, choice)
            found = Recommended(items, origin, _age(record.published_ts), record.model, record.published_ts)
            if items:
                return found
            nothing = found if nothing.origin == "empty" else nothing
    return nothing


def similar(keys: Keys, item: str, domain: str, choice: Choice) -> Plan[Similar]:
    """Read the neighbours of an item."""
    (data,) = yield [("GET", keys.similar(domain, item))]
    record = readable(data)
    if record is None:
        yield from _known(keys, domain)
        return Similar([], None)
    items = yield from _chosen(keys, domain, record.items, choice)
    return Similar(items, _age(record.published_ts))


def rank(
    keys: Keys, user: str | None, domain: str, wanted: Sequence[str], use_list: bool
) -> Plan[list[RankedItem]]:
    """Rank candidates in one round trip. user: None has neither vector nor list."""
    commands: list[Command] = [("HMGET", keys.item(domain, item), "vector", "popularity") for item in wanted]
    if user is not None:
        commands += [("HGET", keys.user(user), "vector"), ("GET", keys.recommendations(user, domain))]
    answers = (yield commands) if commands else []
    found, (vector, data) = answers[: len(wanted)], answers[len(wanted) :] or (None, None)
    held = [answer or (None, None) for answer in found]
    if wanted and not any(any(pair) for pair in held):
        yield from _known(keys, domain)
    record = readable(data) if use_list else None
    places = {} if record is None else {item.id: n for n, item in enumerate(record.items)}
    return ranked(
        decode_vector(vector),
        [
            Candidate(i, decode_vector(pair[0]), _number(pair[1]))
            for i, pair in zip(wanted, held, strict=True)
        ],
        places,
    )


def titles(keys: Keys, domain: str, items: Sequence[str]) -> Plan[dict[str, str]]:
    """Read titles by item; "" for an item without a known title."""
    found = (yield [("HGET", keys.item(domain, item), "title") for item in items]) if items else []
    return {i: (title or b"").decode(errors="replace") for i, title in zip(items, found, strict=True)}


def status(keys: Keys) -> Plan[Status]:
    """Read what the store says of itself."""
    (found,) = yield [("HMGET", keys.meta, "domains", "published_ts", "model")]
    names, published, model = found or (None, None, None)
    written, steps = _number(published), _number(model)
    return Status(
        _names(names), None if written is None else _age(written), None if steps is None else int(steps)
    )


def _chosen(keys: Keys, domain: str, items: list[ListedItem], choice: Choice) -> Plan[list[ListedItem]]:
    """Apply the choice. Tags and vectors are read only if it needs them: a second round trip."""
    if choice.exclude:
        items = [item for item in items if item.id not in choice.exclude]
    if items and (choice.category is not None or choice.diversity > 0):
        found = yield [("HMGET", keys.item(domain, item.id), "tags", "vector") for item in items]
        rows = [(item, *(answer or (None, None))) for item, answer in zip(items, found, strict=True)]
        if choice.category is not None:
            rows = [row for row in rows if choice.category in _names(row[1])]
        if choice.diversity > 0:
            vectors = [decode_vector(row[2]) for row in rows]
            order = diverse([row[0].score for row in rows], vectors, choice.k, choice.diversity)
            rows = [rows[at] for at in order]
        items = [row[0] for row in rows]
    return items[: choice.k]


def _known(keys: Keys, domain: str) -> Plan[None]:
    """Raise UnknownDomain if the store names its domains, and this is none of them."""
    (names,) = yield [("HGET", keys.meta, "domains")]
    if names and domain not in _names(names):
        raise UnknownDomain(domain, _names(names))


def readable(data: bytes | None) -> RecommendationList | None:
    """Return the list in `data`; None without one, or if it is damaged."""
    if data is None:
        return None
    try:
        return decode_list(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _names(data: bytes | None) -> list[str]:
    return (data or b"").decode(errors="replace").split(",") if data else []


def _number(data: bytes | None) -> float | None:
    try:
        return None if data is None else float(data)
    except ValueError:
        return None


def _age(published_ms: float) -> float:
    """Return seconds since then, 0 if the writer's clock runs ahead."""
    return max(0.0, time.time() - published_ms / 1000)
