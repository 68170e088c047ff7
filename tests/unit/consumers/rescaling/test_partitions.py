"""How many partitions users are spread over, and whose users are whose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consumers.errors import STATE_UNUSABLE, USAGE, Stop
from consumers.rescaling.partitions import owner_of, partitions_of
from consumers.rescaling.shard_states import Topics
from consumers.sharing.layout import partition_of
from tests.support.log.user_log import INTERACTIONS, settings_of

MOVIES, BOOKS = INTERACTIONS
TOPICS = Topics(frozenset(INTERACTIONS), "forget", "reroute")
EIGHT = dict.fromkeys(sorted(INTERACTIONS), 8)
PSEUDONYMS = settings_of(Path("unused"), privacy={"key": "sixteen letters!"})


def read(*places: tuple[str, int]) -> dict[str, Any]:
    return {"offsets": [[topic, partition, 5] for topic, partition in places]}


def test_the_states_say_how_many_there_are() -> None:
    states = [read((MOVIES, 7), (BOOKS, 2), ("items.books", 0)), read((BOOKS, 7))]
    assert partitions_of(states, TOPICS, {}, None) == EIGHT


def test_the_layout_says_it_for_certain() -> None:
    assert partitions_of([read((MOVIES, 0))], TOPICS, EIGHT | {"gone": 3}, None) == EIGHT


def test_what_is_given_counts() -> None:
    assert partitions_of([read((MOVIES, 7))], TOPICS, {}, 12) == dict.fromkeys(sorted(INTERACTIONS), 12)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (read((MOVIES, 7)), "read nothing of interactions.books.*--partitions"),
        (read((MOVIES, 7), (BOOKS, 3)), "interactions.books 4, interactions.movies 8"),
    ],
)
def test_an_unknown_or_unequal_number_is_an_error_of_usage(state: dict[str, Any], said: str) -> None:
    with pytest.raises(Stop, match=said) as caught:
        partitions_of([state], TOPICS, {}, None)
    assert caught.value.code == USAGE


def test_users_go_by_their_partition() -> None:
    owner = owner_of(settings_of(Path("unused")), 2, 3, EIGHT, EIGHT)
    for user in ("ann", "bob", "eve"):
        assert owner(0, user) == owner(1, user) == partition_of(user, 8) % 3


def test_pseudonyms_go_by_the_shard_that_had_them() -> None:
    owner = owner_of(PSEUDONYMS, 4, 2, EIGHT, EIGHT)
    assert [owner(shard, "anybody") for shard in range(4)] == [0, 1, 0, 1]
    assert owner_of(PSEUDONYMS, 3, 1, EIGHT, EIGHT)(2, "anybody") == 0


@pytest.mark.parametrize(("old", "new", "partitions"), [(1, 4, 8), (4, 3, 8), (4, 2, 12)])
def test_pseudonyms_cannot_be_spread_otherwise(old: int, new: int, partitions: int) -> None:
    held = EIGHT if old > 1 else {}
    with pytest.raises(Stop, match="pseudonyms") as caught:
        owner_of(PSEUDONYMS, old, new, dict.fromkeys(EIGHT, partitions), held)
    assert caught.value.code == STATE_UNUSABLE
