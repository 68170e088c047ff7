"""One behaviour suite for every sink of dead letters, then what only Kafka's has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from consumers.config import Kafka
from consumers.dead_letters import CUT_BYTES, DeadLetter, KafkaSink, ListSink, Sink, dead_letter
from consumers.embedded import Broker
from consumers.source import Record, Unavailable

PATIENCE = 30.0
Letters = Callable[[], list[DeadLetter]]


def letter(n: int, key: bytes | None = b"k", value: bytes | None = b"{") -> DeadLetter:
    return dead_letter(
        Record("interactions.movies", 1, n, 1_700_000_000_000 + n, key, value), "malformed_json"
    )


def read(bootstrap: str, topic: str, n: int) -> list[DeadLetter]:
    """The topic's letters, in order; waits for at least `n`."""
    with KafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=20
    ) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        found: list[DeadLetter] = []
        deadline = time.monotonic() + PATIENCE
        while len(found) < n:
            assert time.monotonic() < deadline, f"only {len(found)} of {n} letters"
            for messages in consumer.poll(timeout_ms=100).values():
                found += [DeadLetter(m.key, m.value, list(m.headers)) for m in messages]
        return found


def kafka_sink(bootstrap: str, topic: str) -> KafkaSink:
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    return KafkaSink(Kafka([bootstrap], dead_letter_topic=topic))


@pytest.fixture(params=["list", "kafka"])
def sink(request: pytest.FixtureRequest, topic_prefix: str) -> Iterator[tuple[Sink, Any]]:
    """A sink, and what reads at least n letters back from it."""
    if request.param == "list":
        kept = ListSink()
        yield kept, lambda _n: kept.letters
        return
    bootstrap = request.getfixturevalue("bootstrap")
    made = kafka_sink(bootstrap, topic_prefix)
    yield made, lambda n: read(bootstrap, topic_prefix, n)
    made.close()


def test_flushed_letters_are_there(sink: tuple[Sink, Any]) -> None:
    """After `flush` every letter is there: key, value and headers byte for byte, in order, once."""
    out, letters = sink
    sent = [letter(n, key=b"k%d\xff" % n, value=b"\x00\xff%d" % n) for n in range(50)]
    for one in sent:
        out.send(one)
    out.flush()
    assert letters(50) == sent


@pytest.mark.parametrize(
    ("key", "value"),
    [(None, None), (None, b""), (b"k", None), (b"", b""), (None, b"v"), ("ü".encode(), b"v")],
)
def test_any_key_and_value(sink: tuple[Sink, Any], key: bytes | None, value: bytes | None) -> None:
    """Nulls and empty bytes arrive as they are; only a null/null record comes with an empty value."""
    out, letters = sink
    out.send(letter(1, key, value))
    out.flush()
    found = letters(1)[0]
    assert found.key == key
    null = key is None and value is None
    assert found.value == (b"" if null else value)
    assert (("null_record", b"true") in found.headers) == null
    assert dict(found.headers)["offset"] == b"1"


def test_flush_of_nothing(sink: tuple[Sink, Any]) -> None:
    """With nothing to send it returns, and a second time too."""
    out, letters = sink
    out.flush()
    out.flush()
    out.send(letter(1))
    out.flush()
    out.flush()
    assert letters(1) == [letter(1)]


def test_the_same_letter_twice_is_two_equal_letters(sink: tuple[Sink, Any]) -> None:
    """What appears twice after a crash has equal headers."""
    out, letters = sink
    out.send(letter(1))
    out.send(letter(1))
    out.flush()
    one, two = letters(2)
    assert one == two


# Kafka


def test_a_value_that_is_too_large_is_cut(bootstrap: str, topic_prefix: str) -> None:
    """What does not fit into a record is shortened, with its length in a header; its neighbours are whole."""
    out = kafka_sink(bootstrap, topic_prefix)
    out.send(letter(1))
    out.send(letter(2, value=b"v" * 2_000_000))
    out.send(letter(3, key=b"k" * 2_000_000, value=b"v"))
    out.send(letter(4))
    out.flush()
    out.close()
    first, second, third, fourth = read(bootstrap, topic_prefix, 4)
    assert (first, fourth) == (letter(1), letter(4))
    assert (second.key, second.value) == (b"k", b"v" * CUT_BYTES)
    assert (third.key, third.value) == (b"k" * CUT_BYTES, b"v")
    assert second.headers == [*letter(2).headers, ("truncated", b"true"), ("length", b"2000000")]
    assert dict(third.headers)["truncated"] == b"true"


@pytest.mark.timeout(120)
def test_a_broker_that_is_away(own_broker: Broker) -> None:
    """`flush` raises Unavailable and keeps every letter; once the broker is back, one flush sends them all."""
    out = kafka_sink(own_broker.bootstrap, "dead")
    out.send(letter(0))
    out.flush()
    own_broker.stop()
    sent = [letter(n) for n in range(1, 30)]
    for one in sent:
        out.send(one)
    with pytest.raises(Unavailable, match="dead letters not acknowledged"):
        out.flush()
    own_broker.start()
    with KafkaAdminClient(bootstrap_servers=own_broker.bootstrap) as admin:  # its log is in memory
        admin.create_topics({"dead": {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            out.flush()
            break
        except Unavailable:
            assert time.monotonic() < deadline
    out.close()
    found = read(own_broker.bootstrap, "dead", len(sent))
    assert {repr(x) for x in sent} <= {repr(x) for x in found}
