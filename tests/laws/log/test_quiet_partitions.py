"""Records expire in partitions from which nothing was learned. A restart is refused only if one was lost."""

from __future__ import annotations

import pytest

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.record import Offsets
from tests.support.log.logs import KafkaLog, read, read_all


def learned(log: KafkaLog, offsets: Offsets, identity: dict[str, str]) -> tuple[Offsets, dict[str, str]]:
    """Return the content of a checkpoint after everything was read and learned."""
    source = log.open()
    done = source.start(offsets, identity)
    while not source.reached_start_end(done):
        done |= {(r.topic, r.partition): r.offset + 1 for r in source.poll(0.05)}
    return source.next_offsets(done), source.identity()


def test_records_that_expired_before_the_first_start_are_no_gap(kafka_log: KafkaLog) -> None:
    """Such records could never be learned: a restart goes on, and learns later ones."""
    quiet = (kafka_log.interactions, 1)
    kafka_log.fill([(*quiet, k, b"old") for k in range(5)] + [(kafka_log.interactions, 0, 9, b"e")])
    kafka_log.expire(quiet, 5)
    offsets, identity = learned(kafka_log, {}, {})
    assert set(offsets) == set(kafka_log.places)
    again = kafka_log.open()
    assert again.start(offsets, identity) == offsets
    new = kafka_log.fill([(*quiet, 100, b"new")])
    assert read_all(again, 1) == new
    assert again.lost() == 0


def test_records_that_expired_unread_in_a_quiet_partition_are_a_gap(kafka_log: KafkaLog) -> None:
    """The partition was empty at the checkpoint, and then had records that were not learned."""
    quiet = (kafka_log.interactions, 1)
    kafka_log.fill([(kafka_log.interactions, 0, 9, b"e")])
    offsets, identity = learned(kafka_log, {}, {})
    kafka_log.fill([(*quiet, k, b"missed") for k in range(5)])
    kafka_log.expire(quiet, 4)
    with pytest.raises(Stop, match=r"partition 1: offsets 0 to 3 are gone") as caught:
        kafka_log.open().start(offsets, identity)
    assert caught.value.code == STATE_UNUSABLE


def test_a_partition_that_was_added_later_is_unread_from_0_on(kafka_log: KafkaLog) -> None:
    """A checkpoint with the topic but without this partition is older than it, so expired records were not learned."""
    added = (kafka_log.interactions, 1)
    offsets, identity = learned(kafka_log, {}, {})
    del offsets[added]
    kafka_log.fill([(*added, k, b"missed") for k in range(5)])
    kafka_log.expire(added, 4)
    with pytest.raises(Stop, match=r"partition 1: offsets 0 to 3 are gone"):
        kafka_log.open().start(offsets, identity)
    tolerant = kafka_log.open(accept_gap=True)
    assert tolerant.start(offsets, identity)[added] == 4
    assert tolerant.lost() == 4


def test_a_topic_that_was_added_later_begins_at_its_oldest_record(kafka_log: KafkaLog) -> None:
    """The log of a new domain may have lost its beginning, like the log of a first start."""
    place = (kafka_log.items, 0)
    offsets, identity = learned(kafka_log, {}, {})
    kafka_log.fill([(*place, k, b"i") for k in range(5)])
    kafka_log.expire(place, 4)
    del identity[f"topic:{kafka_log.items}"]
    known = {p: offset for p, offset in offsets.items() if p[0] != kafka_log.items}
    assert kafka_log.open().start(known, identity)[place] == 4


def test_a_checkpoint_of_an_earlier_version_is_taken_up_with_a_warning(
    kafka_log: KafkaLog, capsys: pytest.CaptureFixture[str]
) -> None:
    """An earlier version saved no offset of such a partition, so the range is a warning and no refusal."""
    quiet = (kafka_log.interactions, 1)
    kafka_log.fill([(*quiet, k, b"old") for k in range(5)])
    kafka_log.expire(quiet, 5)
    offsets, identity = learned(kafka_log, {}, {})
    del offsets[quiet]
    source = kafka_log.open()
    assert source.start(offsets, identity, complete=False)[quiet] == 5
    assert source.lost() == 0
    assert "offsets 0 to 4 were not learned" in capsys.readouterr().out


def test_the_end_of_a_transaction_may_expire_like_the_records_before_it(kafka_log: KafkaLog) -> None:
    """The end of a transaction takes an offset, and a checkpoint is beyond it once all earlier records are learned."""
    place = (kafka_log.interactions, 1)
    kafka_log.fill([(*place, k, b"e") for k in range(3)], transactional_id=kafka_log.config.group_id)
    offsets, identity = learned(kafka_log, {}, {})
    assert offsets[place] == 4
    kafka_log.expire(place, 4)
    assert kafka_log.open().start(offsets, identity) == offsets


def test_a_partition_added_while_running_has_an_offset(kafka_log: KafkaLog) -> None:
    """A new partition has an offset from the moment it is seen, without a record."""
    added = (kafka_log.interactions, 1)
    source = kafka_log.open(watch_seconds=0.2)
    source._places.remove(added)  # as if it was added after the start: the embedded broker cannot add one
    assert added not in source.start({}, {})
    read(source, lambda _: added in source.next_offsets({}))
    assert source.next_offsets({})[added] == 0
