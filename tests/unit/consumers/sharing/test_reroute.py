"""Events in another partition than that of their key are sent on once, and taken in once."""

from __future__ import annotations

from consumers.config.loader import build
from consumers.events.record import Record
from consumers.kafka_client.producer import partition_of
from consumers.sharing.reroute import Reroute, Rerouted
from serving.shard_metrics import ShardMetrics
from tests.support.doubles import ListSink

PARTITIONS, TOPIC, REROUTE = 4, "interactions.movies", "crosscurrent.reroute"


def made() -> tuple[Reroute, ListSink]:
    settings = build({"domains": {"movies": {}}, "shards": {"count": 2, "index": 0}})
    sink = ListSink()
    return Reroute(settings, PARTITIONS, sink, ShardMetrics()), sink


def record(key: bytes | None, partition: int, offset: int = 7) -> Record:
    return Record(TOPIC, partition, offset, 1_700_000_000_000, key, b'{"type": "click"}')


def test_only_an_event_in_a_wrong_partition_is_sent_on() -> None:
    reroute, sink = made()
    right = partition_of(b"ann", PARTITIONS)
    good, wrong = record(b"ann", right), record(b"ann", (right + 1) % PARTITIONS)
    assert reroute.look(good) is good
    assert reroute.look(keyless := record(None, 0)) is keyless
    assert reroute.look(item := wrong._replace(topic="items.movies")) is item
    assert sink.letters == []
    assert isinstance(reroute.look(wrong), Rerouted)
    (letter,) = sink.letters
    assert letter.key == b"ann", "Kafka's own partitioner finds the partition by it"
    assert dict(letter.headers)["partition"] == str(wrong.partition).encode()


def test_it_is_taken_in_as_it_was_read_first_and_once() -> None:
    sender, sink = made()
    wrong = record(b"ann", (partition_of(b"ann", PARTITIONS) + 1) % PARTITIONS)
    sender.look(wrong)
    sender.look(wrong)  # after a crash
    receiver, _ = made()
    came = [Record(REROUTE, 2, n, 0, letter.key, letter.value) for n, letter in enumerate(sink.letters)]
    assert [receiver.look(one) for one in came] == [wrong, wrong]
    assert [receiver.repeated(one) for one in came] == [False, True]
    again, _ = made()
    again.load(receiver.state())
    assert again.repeated(came[0])
    assert not receiver.repeated(wrong)


def test_a_record_of_another_program_belongs_to_no_domain() -> None:
    reroute, _ = made()
    for value in (b"", b"{}", None):
        strange = Record(REROUTE, 0, 0, 0, b"k", value)
        assert reroute.look(strange) is strange
        assert not reroute.repeated(strange)
