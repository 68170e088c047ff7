"""Which partitions a shard reads."""

from __future__ import annotations

import pytest

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.source.ownership import Everything, ShardOwnership


def places(**counts: int) -> set[tuple[str, int]]:
    return {(topic, n) for topic, count in counts.items() for n in range(count)}


def test_every_partition_of_events_has_one_owner_and_all_read_the_rest() -> None:
    log = places(movies=5, books=5, items=2, forget=1)
    owned = [ShardOwnership(n, 2, ["movies", "books"]).of(log) for n in range(2)]
    assert owned[0] & owned[1] == places(items=2, forget=1)
    assert owned[0] | owned[1] == log == Everything().of(log)
    assert {("movies", 2), ("books", 2)} <= owned[0], "a user's events of all domains reach one shard"


def test_different_numbers_of_partitions_are_refused() -> None:
    with pytest.raises(Stop, match=r"books has 6, movies has 4"):
        ShardOwnership(0, 2, ["movies", "books"]).of(places(movies=4, books=6))


def test_more_shards_than_partitions_are_refused() -> None:
    with pytest.raises(Stop, match=r"shards.count is 3.*have 2 partitions"):
        ShardOwnership(0, 3, ["movies"]).of(places(movies=2, items=9))


def test_partitions_that_are_added_while_it_runs_stop_it() -> None:
    """Equal numbers, but users belong to other shards now."""
    own = ShardOwnership(0, 2, ["movies"])
    own.of(places(movies=4, items=1))
    assert own.of(places(movies=4, items=2)) == {("movies", 0), ("movies", 2), ("items", 0), ("items", 1)}
    with pytest.raises(
        Stop, match=r"had 4 partitions and have 6 now.*crosscurrent rescale --count 2"
    ) as caught:
        own.of(places(movies=6, items=2))
    assert caught.value.code == STATE_UNUSABLE
