"""Every codec is read. If a package is missing, topic and package are named before the first record is needed."""

from __future__ import annotations

import re

import msgspec
import pytest

from consumers.cli.check import _check_kafka
from consumers.config.loader import build
from consumers.dead_letters.topic_reader import LetterLog
from consumers.errors import USAGE, Stop
from tests.support.log.logs import KafkaLog, read, read_all


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_every_codec_is_read(kafka_log: KafkaLog, codec: str) -> None:
    """A topic is read with every codec that producers may use."""
    sent = kafka_log.fill(
        [(kafka_log.interactions, 0, k, b"e" * 500) for k in range(20)], compression_type=codec
    )
    source = kafka_log.open()
    source.start({}, {})
    assert read_all(source, 20) == sent


class WithoutSnappy:
    """Make two compressed topics, and hide the package for one of them."""

    def __init__(self, log: KafkaLog, monkeypatch: pytest.MonkeyPatch) -> None:
        log.fill([(log.items, 0, 1, b"i" * 500)], compression_type="lz4")
        log.fill([(log.interactions, 1, k, b"e" * 500) for k in range(9)], compression_type="snappy")
        self.log, self._monkeypatch = log, monkeypatch
        self.line = rf"topic {log.interactions} is compressed with snappy, .*: pip install python-snappy$"

    def uninstall(self) -> None:
        self._monkeypatch.setattr("kafka.codec.snappy", None)


@pytest.fixture
def without(kafka_log: KafkaLog, monkeypatch: pytest.MonkeyPatch) -> WithoutSnappy:
    return WithoutSnappy(kafka_log, monkeypatch)


def test_a_missing_package_is_told_at_the_start(without: WithoutSnappy) -> None:
    """The exit code is 2, not 4, because state and offsets are good."""
    without.uninstall()
    with pytest.raises(Stop, match=without.line) as caught:
        without.log.open()
    assert caught.value.code == USAGE


def test_a_missing_package_is_told_when_older_records_need_it(without: WithoutSnappy) -> None:
    """The newest record of each partition can be read, but an earlier one cannot."""
    log = without.log
    log.fill([(log.interactions, 1, 100, b"plain")])
    without.uninstall()
    source = log.open()
    source.start({}, {})
    with pytest.raises(Stop, match=without.line) as caught:
        read(source, lambda records: len(records) > 1)
    assert caught.value.code == USAGE


def test_check_tells_a_missing_package(without: WithoutSnappy) -> None:
    """`check` has a finding about that topic; with the package there is none."""
    log = without.log
    settings = build(
        {
            "kafka": {"bootstrap_servers": log.config.bootstrap_servers, "canary_topic": ""},
            "domains": {"movies": {"interactions_topic": log.interactions, "items_topic": log.items}},
        }
    )

    def told() -> list[str]:
        return [
            found.detail for found in _check_kafka(settings, create=False) if "compressed" in found.detail
        ]

    assert told() == []
    without.uninstall()
    (line,) = told()
    assert re.fullmatch(without.line, line)


def test_dead_letters_tell_a_missing_package(without: WithoutSnappy) -> None:
    """The broker may compress a topic, whatever producers send."""
    without.uninstall()
    config = msgspec.structs.replace(without.log.config, dead_letter_topic=without.log.interactions)
    with LetterLog(config) as letters, pytest.raises(Stop, match=without.line) as caught:
        list(letters.letters())
    assert caught.value.code == USAGE
