"""Dead letters that Apache Kafka refuses are cut until they fit, or left out. None delays another."""

from __future__ import annotations

from typing import Any

import pytest
from kafka import KafkaAdminClient

from consumers.config.schema import KafkaConfig
from consumers.dead_letters.kafka_sink import KafkaSink
from consumers.dead_letters.sink import DeadLetter
from tests.support.kafka.apache_kafka import Address
from tests.support.log.letters import delivered, letter, read


class Refusing:
    """Make a sink whose topic has these settings."""

    def __init__(self, bootstrap: str, topic: str, **configs: str) -> None:
        self.bootstrap, self.topic = bootstrap, topic
        self.left_out = 0
        settings = {name.replace("_", "."): value for name, value in configs.items()}
        made: dict[str, Any] = {"num_partitions": 1, "replication_factor": 1, "configs": settings}
        with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
            admin.create_topics({topic: made}, wait_for_metadata=True)

    def _refused(self) -> None:
        self.left_out += 1

    def deliver(self, letters: list[DeadLetter]) -> dict[int, DeadLetter]:
        """Send all letters, and return the topic's content by the offset of the record."""
        sink = KafkaSink(KafkaConfig([self.bootstrap], dead_letter_topic=self.topic), self._refused)
        for one in letters:
            sink.send(one)
        assert delivered(sink)
        assert sink.problem() is None
        sink.close()
        there = read(self.bootstrap, self.topic, len(letters) - self.left_out)
        return {int(dict(one.headers)["offset"]): one for one in there}


@pytest.fixture
def limit(apache: Address, topic_prefix: str) -> Any:
    return lambda **configs: Refusing(apache.bootstrap, topic_prefix, **configs)


def test_a_value_over_the_limit_of_the_topic_is_cut_until_it_fits(limit: Any) -> None:
    """The letter is cut, with its first length in a header. Letters of the same batch arrive whole."""
    sent = [letter(n, value=b"v" * (100_000 if n == 20 else 50)) for n in range(40)]
    there = limit(max_message_bytes="1000").deliver(sent)
    assert {n: one for n, one in there.items() if n != 20} == {n: sent[n] for n in range(40) if n != 20}
    assert 100 < len(there[20].value or b"") < 1000
    assert there[20].headers == [*sent[20].headers, ("truncated", b"true"), ("length", b"100000")]


def test_a_key_over_the_limit_is_cut_too(limit: Any) -> None:
    there = limit(max_message_bytes="1000").deliver([letter(1, key=b"k" * 5000, value=b"v"), letter(2)])
    assert 100 < len(there[1].key or b"") < 1000
    assert there[1].value == b"v"
    assert there[2] == letter(2)


def test_a_letter_whose_headers_alone_are_too_large_is_left_out(limit: Any) -> None:
    """No cut would make the letter fit. It is counted, and the stream goes on."""
    topic = limit(max_message_bytes="150")
    assert topic.deliver([letter(1), letter(2)]) == {}
    assert topic.left_out == 2


def test_what_the_topic_has_against_one_letter_is_not_held_against_another(limit: Any) -> None:
    """A letter without a key is left out, because a compacted topic does not take it."""
    topic = limit(cleanup_policy="compact")
    there = topic.deliver([letter(1), letter(2, key=None), letter(3)])
    assert there == {1: letter(1), 3: letter(3)}
    assert topic.left_out == 1


def test_what_the_topic_takes_is_not_cut(limit: Any) -> None:
    """The broker decides what is too large, not the client."""
    large = letter(1, value=b"v" * 3_000_000)
    assert limit(max_message_bytes="5000000").deliver([large, letter(2)]) == {1: large, 2: letter(2)}
