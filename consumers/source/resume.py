"""Where reading begins: what a checkpoint knows of a log, held against the log as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import structlog

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.record import Offsets, TopicPartition

log = structlog.get_logger()


class Known(NamedTuple):
    """What a checkpoint knows of this log; nothing without a checkpoint."""

    offsets: Offsets
    topics: frozenset[str]
    complete: bool
    """Whether a place without offset was added after the checkpoint. Earlier versions kept no offset of a place that
    they had learned nothing from."""

    def first(self, place: TopicPartition, earliest: int) -> int:
        """The offset from which records of `place` are not learned yet; `earliest` is the oldest in the log.

        A topic that the checkpoint does not know is read from its oldest record on, as every topic is at first. A
        partition that was added to a topic it knows is unread from 0 on.
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
    """What means this log, whose identity is `own`: all that the checkpoint has, or (with `accept_gap`) nothing of
    another cluster or topic. Raises Stop (exit 4)."""
    other = {key for key, value in identity.items() if own.get(key, value) != value}
    if other and not accept_gap:
        raise Stop(
            f"the checkpoint belongs to another log ({', '.join(sorted(other))} differ). Point "
            "kafka.bootstrap_servers at the log it was made from, or start with an empty checkpoint directory; "
            "--accept-gap reads the new log from its beginning.",
            STATE_UNUSABLE,
        )
    if "cluster" in other:
        return Known({}, frozenset(), complete)
    topics = {key.removeprefix("topic:") for key in set(identity) - other if key.startswith("topic:")}
    kept = {place: offset for place, offset in offsets.items() if f"topic:{place[0]}" not in other}
    return Known(kept, frozenset(topics), complete)


def gone(place: TopicPartition, first: int, earliest: int) -> Stop:
    """The log no longer has the offsets from `first` to before `earliest`."""
    return Stop(
        f"{place[0]} partition {place[1]}: offsets {first} to {earliest - 1} are gone from the log "
        f"({earliest - first} records). Restore them, or go on without: crosscurrent run --accept-gap",
        STATE_UNUSABLE,
    )


def truncated(error: Exception) -> Stop:
    """The log does not reach as far as was read."""
    return Stop(
        f"offset out of range: {error}. The log ends before the checkpoint does: it was "
        "truncated or replaced. --accept-gap reads it from its beginning.",
        STATE_UNUSABLE,
    )
