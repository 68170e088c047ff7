"""Decide where reading begins: compare what a checkpoint knows of the log with the log itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

import structlog

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.record import Offsets, TopicPartition

log = structlog.get_logger()


class Known(NamedTuple):
    """What a checkpoint knows about this log; empty without a checkpoint."""

    offsets: Offsets
    topics: frozenset[str]
    complete: bool
    """Whether a partition without an offset was added after the checkpoint.

    Earlier versions kept no offset of a partition from which nothing was learned.
    """

    def without(self, topics: Set[str]) -> Known:
        """Return this knowledge without these topics: they are read from their oldest record on."""
        kept = {place: offset for place, offset in self.offsets.items() if place[0] not in topics}
        return Known(kept, self.topics - topics, self.complete)

    def first(self, place: TopicPartition, earliest: int) -> int:
        """Return the first offset of `place` that is not learned; `earliest` is the oldest in the log.

        A topic that the checkpoint does not know is read from its oldest record on, like every topic at first. A
        partition that was added to a known topic is read from 0 on.
        """
        topic, number = place
        if place in self.offsets:
            return self.offsets[place]
        if topic not in self.topics:
            return earliest
        if self.complete:
            return 0
        if earliest:
            log.warning(
                "the checkpoint was written by an earlier version, which kept no offset of a partition that it had "
                f"learned nothing from: reading begins at the oldest record. If the partition is newer than the "
                f"checkpoint, the records of offsets 0 to {earliest - 1} were not learned",
                topic=topic,
                partition=number,
            )
        return earliest


def of_this_log(
    own: Mapping[str, str], offsets: Offsets, identity: Mapping[str, str], complete: bool, accept_gap: bool
) -> Known:
    """Return what the checkpoint knows about this log, whose identity is `own`.

    With `accept_gap`, nothing is known of another cluster or topic; without, raises Stop (exit 4).
    """
    other = {key for key, value in identity.items() if own.get(key, value) != value}
    if other and not accept_gap:
        raise another_log(other)
    if "cluster" in other:
        return Known({}, frozenset(), complete)
    topics = {key.removeprefix("topic:") for key in set(identity) - other if key.startswith("topic:")}
    kept = {place: offset for place, offset in offsets.items() if f"topic:{place[0]}" not in other}
    return Known(kept, frozenset(topics), complete)


def stop_if_made_anew(own: Mapping[str, str], seen: Mapping[str, str]) -> None:
    """Raise Stop (exit 4) if a topic has another id now. own: the identity of the log. seen: ids by topic."""
    ids = {f"topic:{topic}": number for topic, number in seen.items()}
    if other := {key for key, number in ids.items() if own.get(key, number) != number}:
        raise another_log(other)


def another_log(other: Iterable[str]) -> Stop:
    """Make the error for a log that does not belong to the checkpoint. other: the keys of the identity that differ."""
    return Stop(
        f"the checkpoint belongs to another log ({', '.join(sorted(other))} differ). Point "
        "kafka.bootstrap_servers at the log it was made from, or start with an empty checkpoint directory; "
        "--accept-gap reads the new log from its beginning.",
        STATE_UNUSABLE,
    )


def gone(place: TopicPartition, first: int, earliest: int) -> Stop:
    """Make the error for a log that no longer has the offsets from `first` to before `earliest`."""
    return Stop(
        f"{place[0]} partition {place[1]}: offsets {first} to {earliest - 1} are gone from the log "
        f"({earliest - first} records). Restore them, or go on without: crosscurrent run --accept-gap",
        STATE_UNUSABLE,
    )


def truncated(positions: Offsets) -> Stop:
    """Make the error for partitions whose log ends before these offsets, or differs from the records that were read."""
    named = ", ".join(
        f"{topic} partition {number} (read up to {at})" for (topic, number), at in sorted(positions.items())
    )
    return Stop(
        f"the log no longer has what was read from it: {named}. It was truncated or replaced; what was learned may "
        "not be in it. --accept-gap goes on with what it has.",
        STATE_UNUSABLE,
    )
