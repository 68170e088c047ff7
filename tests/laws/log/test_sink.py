"""Every sink of dead letters passes one suite; Kafka's sink has more tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient

from consumers.config.schema import KafkaConfig
from consumers.dead_letters.kafka_sink import KafkaSink
from consumers.dead_letters.sink import DeadLetter, Sink
from consumers.demo.embedded_servers import Broker
from tests.support.doubles import ListSink
from tests.support.kafka.brokers import BROKERS, bootstrap_of
from tests.support.log.letters import PATIENCE, delivered, letter, read
from tests.support.service.running import wait_for

Letters = Callable[[], list[DeadLetter]]


def kafka_sink(bootstrap: str, topic: str, **options: Any) -> KafkaSink:
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    return KafkaSink(KafkaConfig([bootstrap], dead_letter_topic=topic), **options)


@pytest.fixture(params=["list", *BROKERS])
def sink(request: pytest.FixtureRequest, topic_prefix: str) -> Iterator[tuple[Sink, Any]]:
    """Make a sink, and a function that reads at least n letters back from it."""
    if request.param == "list":
        kept = ListSink()
        yield kept, lambda _n: kept.letters
        return
    bootstrap = bootstrap_of(request, request.param)
    made = kafka_sink(bootstrap, topic_prefix)
    yield made, lambda n: read(bootstrap, topic_prefix, n)
    made.close()


def test_acknowledged_letters_are_there(sink: tuple[Sink, Any]) -> None:
    """After `wait` every letter is there: key, value and headers byte for byte, in order, once."""
    out, letters = sink
    sent = [letter(n, key=b"k%d\xff" % n, value=b"\x00\xff%d" % n) for n in range(50)]
    for one in sent:
        out.send(one)
    assert delivered(out)
    assert letters(50) == sent


@pytest.mark.parametrize(
    ("key", "value"),
    [(None, None), (None, b""), (b"k", None), (b"", b""), (None, b"v"), ("ü".encode(), b"v")],
)
def test_any_key_and_value(sink: tuple[Sink, Any], key: bytes | None, value: bytes | None) -> None:
    """Nulls and empty bytes arrive unchanged; only a null/null record comes with an empty value."""
    out, letters = sink
    out.send(letter(1, key, value))
    assert delivered(out)
    found = letters(1)[0]
    assert found.key == key
    null = key is None and value is None
    assert found.value == (b"" if null else value)
    assert (("null_record", b"true") in found.headers) == null
    assert dict(found.headers)["offset"] == b"1"


def test_nothing_to_wait_for(sink: tuple[Sink, Any]) -> None:
    """Without waiting letters there is no problem. Numbers count the letters that were handed over."""
    out, letters = sink
    assert out.wait(0, 0.0)
    out.send(letter(1))
    assert out.sent == 1
    assert delivered(out)
    assert out.wait(1, 0.0)
    assert not out.full()
    assert out.problem() is None
    assert letters(1) == [letter(1)]


def test_the_same_letter_twice_is_two_equal_letters(sink: tuple[Sink, Any]) -> None:
    """Copies of a letter after a crash have equal headers."""
    out, letters = sink
    out.send(letter(1))
    out.send(letter(1))
    assert delivered(out)
    one, two = letters(2)
    assert one == two


# Kafka


def test_after_close_nobody_waits(bootstrap: str, topic_prefix: str) -> None:
    """`wait` returns at once for letters that will not be sent any more."""
    out = kafka_sink(bootstrap, topic_prefix)
    out.send(letter(1))
    assert delivered(out)
    out.close()
    out.send(letter(2))
    assert out.wait(1)
    assert not out.wait(2)


@pytest.mark.timeout(120)
def test_a_broker_that_is_frozen(own_broker: Broker) -> None:
    """`send` returns at once. Above a bound the sink is full and says why. Later the broker gets every letter."""
    out = kafka_sink(own_broker.bootstrap, "dead", most_letters=20)
    out.send(letter(0))
    assert delivered(out)
    os.kill(own_broker.pid, signal.SIGSTOP)
    try:
        for n in range(1, 20):
            out.send(letter(n))
        assert not out.wait(out.sent, 0.0)
        assert not out.full()
        out.send(letter(20))
        assert out.full()
        why = wait_for(out.problem, PATIENCE)
        assert why.startswith("20 dead letters are not acknowledged for ")
        assert why.endswith("reading pauses")
    finally:
        os.kill(own_broker.pid, signal.SIGCONT)
    assert out.wait(out.sent, 60.0)
    assert not out.full()
    assert out.problem() is None
    out.close()
    found = read(own_broker.bootstrap, "dead", 21)
    assert {repr(letter(n)) for n in range(21)} == {repr(x) for x in found}


@pytest.mark.timeout(120)
def test_a_broker_that_is_away(own_broker: Broker) -> None:
    """Every letter is kept, and sent once the broker and its topic are back."""
    out = kafka_sink(own_broker.bootstrap, "dead", most_bytes=100)
    own_broker.stop()
    sent = [letter(n, value=b"v" * 20) for n in range(1, 30)]
    for one in sent:
        out.send(one)
    assert out.full()  # by their bytes
    assert wait_for(out.problem, PATIENCE)
    own_broker.start()
    with KafkaAdminClient(bootstrap_servers=own_broker.bootstrap) as admin:  # its log is in memory
        admin.create_topics({"dead": {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    assert out.wait(out.sent, 60.0)
    out.close()
    found = read(own_broker.bootstrap, "dead", len(sent))
    assert {repr(x) for x in sent} == {repr(x) for x in found}
