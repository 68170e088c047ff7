"""Find out how many partitions users are spread over, and which new shard each user belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from consumers.config.schema import Settings
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.rescaling.shard_states import Topics
from consumers.sharing.layout import partition_of
from models.migration.user_rows import Owner


def partitions_of(
    states: Sequence[Mapping[str, Any]], topics: Topics, held: Mapping[str, int], given: int | None
) -> dict[str, int]:
    """Return the number of partitions of each topic of interactions: the one given, else that of the layout or states.

    held: of the layout, which has none for a single process. Its state has an offset for each partition. Raises Stop if
    no number is known, or if topics differ, because a user's events must be at one shard.
    """
    if given is not None:
        return dict.fromkeys(sorted(topics.interactions), given)
    found: dict[str, int] = {}
    for state in states:
        for topic, partition, _ in state["offsets"]:
            if topic in topics.interactions:
                found[topic] = max(found.get(topic, 0), partition + 1)
    found |= {topic: count for topic, count in held.items() if topic in topics.interactions}
    if missing := sorted(topics.interactions - found.keys()):
        raise Stop(
            f"the state has read nothing of {', '.join(missing)}. Say how many partitions the topics of interactions "
            "have: --partitions 64"
        )
    if len(set(found.values())) > 1:
        counts = ", ".join(f"{topic} {count}" for topic, count in sorted(found.items()))
        raise Stop(
            f"the topics of interactions differ in their partitions ({counts}), so a user's events would be at several "
            "shards. Give all the same number of partitions, then say it: --partitions 64"
        )
    return dict(sorted(found.items()))


def owner_of(
    settings: Settings, old: int, new: int, partitions: Mapping[str, int], held: Mapping[str, int]
) -> Owner:
    """Return what deals users out: by the partition of their id.

    old, new: numbers of shards. held: the partitions of the layout. The partition of a pseudonym is not known. If the
    new number divides the old one, partition p of shard p % old belongs to shard p % new in any case. Else raises Stop
    (exit 4).
    """
    count = next(iter(partitions.values()))
    if not settings.privacy.ids().active or new == 1:
        return lambda _shard, user: partition_of(user, count) % new
    if old % new or any(partitions.get(topic, number) != number for topic, number in held.items()):
        divisors = ", ".join(str(n) for n in range(1, old + 1) if old % n == 0)
        raise Stop(
            "the state holds pseudonyms of users (privacy.key), so the partition of a user is not known. From "
            f"{old} shard{'s' if old > 1 else ''} it can be made into {divisors}, with the partitions as they are. "
            "For another number, let the shards begin with empty checkpoint directories and learn the log again.",
            STATE_UNUSABLE,
        )
    return lambda shard, _user: shard % new
