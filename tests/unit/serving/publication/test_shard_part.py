"""Which records without a user a shard writes."""

from __future__ import annotations

from models.schema import Interaction
from serving.contract import Keys
from serving.publication.publication_queue import PublicationQueue
from serving.publication.shard_part import ShardPart
from tests.support.learners.facts import learned_arms
from tests.support.store.all_writes import all_writes


def written(part: ShardPart) -> set[str]:
    """Return the keys that a shard writes once it has learned of forty items and a user."""
    arms = learned_arms(
        [Interaction("movies", "click", "ann", f"m{n}", 1_700_000_000_000 + n) for n in range(40)]
    )
    queue = PublicationQueue(arms, Keys(shard=part.index), lambda: 1_700_000_000.0, part=part)
    queue.event("ann", "movies", "m0", 0)
    for n in range(1, 40):
        queue.item_learned("movies", f"m{n}")
    queue.item("movies", "gone", removed=True, recommendable=False)
    return {write.key for write in all_writes(queue)}


def test_every_item_has_one_writer_and_the_first_shard_writes_the_rest() -> None:
    alone, shards = written(ShardPart()), [written(ShardPart(n, 3)) for n in range(3)]
    items = [{key for key in keys if ":item:" in key} for keys in (alone, *shards)]
    assert sum(map(len, items[1:])) == len(items[0]) == 41
    assert items[0] == items[1] | items[2] | items[3]
    assert all(items[1:])
    similar = [{key.removeprefix("cc:similar:") for key in keys if ":similar:" in key} for keys in shards]
    for one, names in zip(items[1:], similar, strict=True):
        assert names <= {key.removeprefix("cc:item:") for key in one}, (
            "an item's writer writes its neighbours, too"
        )
    assert any(similar)
    users = {"cc:user:{ann}", "cc:rec:{ann}:movies"}
    assert all(users <= keys for keys in shards), "each was told of the user"
    assert {"cc:popular:movies", "cc:domain:movies", "cc:meta"} <= shards[0]
    assert shards[1] - items[2] - users - {f"cc:similar:{name}" for name in similar[1]} == {"cc:meta:shard-1"}
