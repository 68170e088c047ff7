"""Every source of records passes one suite, on a list and on a real broker."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from consumers.events.record import Offsets
from tests.support.doubles import Abort, ListSource
from tests.support.kafka.brokers import BROKERS, bootstrap_of
from tests.support.log.logs import (
    PARTITIONS,
    PATIENCE,
    KafkaLog,
    ListLog,
    Log,
    Sent,
    by_place,
    ends,
    read,
    read_all,
    some,
)  # fmt: skip


@pytest.fixture(params=["list", *BROKERS])
def log(request: pytest.FixtureRequest, topic_prefix: str) -> Iterator[Log]:
    if request.param == "list":
        yield ListLog()
        return
    made = KafkaLog(bootstrap_of(request, request.param), topic_prefix)
    yield made
    made.close()


def test_everything_is_delivered_exactly_once_in_order(log: Log) -> None:
    """Each record comes once, with its bytes, time, key and offset, in the order of its partition."""
    sent = log.fill(some(log))
    source = log.open()
    source.start({}, {})
    assert by_place(read_all(source, len(sent))) == by_place(sent)


def test_an_empty_log(log: Log) -> None:
    """An empty log has empty polls, no lag, and is past its end at once."""
    source = log.open()
    source.start({}, {})
    deadline = time.monotonic() + PATIENCE
    assert source.poll(0.05) == []
    while not source.reached_start_end({}):
        assert time.monotonic() < deadline
        assert source.poll(0.05) == []
    assert not any(source.lag({}).values())


def test_reading_begins_at_the_offsets(log: Log) -> None:
    """A place with an offset begins there, any other at its beginning."""
    sent = log.fill(some(log))
    place = (log.interactions, 1)
    offsets = {place: by_place(sent)[place][5].offset}
    source = log.open()
    source.start(offsets, {})
    expected = by_place(sent) | {place: by_place(sent)[place][5:]}
    assert by_place(read_all(source, sum(map(len, expected.values())))) == expected


def test_every_place_has_an_offset_to_read_on_from(log: Log) -> None:
    """A place from which nothing was learned has the offset where reading began, later that of learning."""
    sent = log.fill(some(log))
    source = log.open()
    place = (log.interactions, 1)
    began = dict.fromkeys(by_place(sent), 0) | {place: 3}
    assert source.start({place: 3}, {}) == began
    assert source.next_offsets({}) == began
    read_all(source, len(sent) - 3)
    assert source.next_offsets({}) == began
    assert source.next_offsets({place: 5}) == began | {place: 5}
    assert source.next_offsets(ends(sent)) == ends(sent)


def test_what_waits_is_known(log: Log) -> None:
    """The source knows the next waiting record of each place, as far as it was fetched, and none at the end."""
    places = by_place(log.fill(some(log)))
    source = log.open()
    source.start({}, {})
    got = dict.fromkeys(places, 0)
    while any(got[place] < len(records) for place, records in places.items()):
        for record in source.waiting():
            place = record.topic, record.partition
            assert record == places[place][got[place]]
        for record in source.poll(0.05):
            got[record.topic, record.partition] += 1
    assert source.waiting() == []


def test_resuming_at_the_end_reads_only_what_is_new(log: Log) -> None:
    """A restart after everything was learned delivers no record twice, and delivers later records."""
    sent = log.fill(some(log, 20))
    source = log.open()
    source.start(ends(sent), {}, at_end=dict.fromkeys(ends(sent), time.time()))
    assert read(source, lambda _: source.reached_start_end(ends(sent)), settle=0.2) == []
    new = log.fill([(log.interactions, 0, 100, b"new")])
    assert read_all(source, 1) == new


def test_tombstones_come_as_null(log: Log) -> None:
    """A null value is delivered as None, an empty one as empty bytes."""
    log.fill([(log.items, 0, 1, None), (log.items, 0, 2, b"")])
    source = log.open()
    source.start({}, {})
    assert [r.value for r in read_all(source, 2)] == [None, b""]


def test_time_order_across_partitions(log: Log) -> None:
    """A backlog comes in the order of time, not partition by partition."""
    # written partition by partition on Kafka; the list is its own order
    records: list[Sent] = [(log.interactions, k % PARTITIONS, k, b"%d" % k) for k in range(400)]
    order = records if isinstance(log, ListLog) else sorted(records, key=lambda r: r[1])
    log.fill(order)
    source = log.open()
    source.start({}, {})
    assert [r.value for r in read_all(source, 400)] == [b"%d" % k for k in range(400)]


def test_lag_and_start_end(log: Log) -> None:
    """Lag counts unlearned records. The source is past the start's ends only when all of them are learned."""
    sent = log.fill(some(log))
    source = log.open()
    source.start({}, {})
    got = read_all(source, len(sent))
    counts = {place: len(those) for place, those in by_place(sent).items()}
    assert {p: n for p, n in source.lag({}).items() if n} == counts
    assert not source.reached_start_end({})
    half = ends(got[: len(got) // 2])
    assert not source.reached_start_end(half)
    assert sum(source.lag(half).values()) == len(got) - len(got) // 2
    assert source.reached_start_end(ends(got))
    assert not any(source.lag(ends(got)).values())


def test_nothing_is_lost(log: Log) -> None:
    """Without --accept-gap no record is ever skipped."""
    log.fill(some(log, 10))
    source = log.open()
    source.start({}, {})
    read_all(source, 10)
    assert source.lost() == 0


# The list


def test_abort_is_raised_once_when_its_turn_comes() -> None:
    """A crash in the list comes after the records before it, and does not happen again after a restart."""
    log = ListLog()
    sent = log.fill(some(log, 10))
    source = ListSource([*sent[:4], Abort(), *sent[4:]], poll_records=3)
    source.start({}, {})
    assert source.poll(0) == sent[:3]
    assert source.poll(0) == sent[3:4]
    with pytest.raises(Abort):
        source.poll(0)
    source.start(ends(sent[:2]), {})
    assert read_all(source, 8) == sent[2:]
    assert source.exhausted


def test_list_remembers_what_was_committed() -> None:
    """Commits are kept as copies of the caller's dict."""
    source = ListSource([])
    offsets: Offsets = {("t", 0): 5}
    source.commit(offsets)
    offsets["t", 0] = 6
    assert source.committed == {("t", 0): 5}
