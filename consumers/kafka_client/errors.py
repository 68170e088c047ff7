"""Map every class of Kafka's errors to one behaviour for reading and one for dead letters."""

from __future__ import annotations

from typing import Literal

from kafka.errors import (
    InvalidRecordError,
    InvalidTimestampError,
    KafkaError,
    LogTruncationError,
    MessageSizeTooLargeError,
    OffsetOutOfRangeError,
    RecordListTooLargeError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
)

from consumers.events.record import TopicPartition

Reading = Literal["retry", "gap", "no_right", "no_codec", "stop"]
"""retry: back off and poll again. gap: records are gone, or the log is another one; stop with exit 4, or go on with
--accept-gap. no_right: go on with the other topics, and ask for this one from time to time. no_codec: stop with exit 2.
stop: stop with exit 4.
"""

READING: dict[type[KafkaError], Reading] = {
    OffsetOutOfRangeError: "gap",
    LogTruncationError: "gap",
    TopicAuthorizationFailedError: "no_right",
    UnsupportedCodecError: "no_codec",
    SaslAuthenticationFailedError: "retry",
}
"""A class without an entry of its own or of a base class is retried if kafka-python calls it retriable; else stop."""

Letter = Literal["cut", "leave_out", "send_again"]
"""cut: send less of the value, until it fits.
leave_out: the broker refuses this record and always will; log and count it.
send_again: the trouble will end some time; make a new producer after a pause.
"""

LETTER: dict[type[KafkaError], Letter] = {
    MessageSizeTooLargeError: "cut",
    RecordListTooLargeError: "cut",
    InvalidRecordError: "leave_out",
    InvalidTimestampError: "leave_out",
}
"""A class without an entry of its own or of a base class is sent again."""

OF_THE_RECORD = tuple(LETTER)
"""Errors that a record has caused itself, or another record of the same batch."""


def on_poll(error: KafkaError) -> Reading:
    """Return what the source does about an error of `poll`."""
    named = (READING[kind] for kind in type(error).__mro__ if kind in READING)
    return next(named, "retry" if error.retriable else "stop")


def on_letter(error: Exception) -> Letter:
    """Return what the sink does about an error of one dead letter that was sent by itself."""
    return next((LETTER[kind] for kind in type(error).__mro__ if kind in LETTER), "send_again")


def denied_topics(error: KafkaError) -> set[str]:
    """Return the topics that a TopicAuthorizationFailedError names: kafka-python gives one, or a set of them."""
    named = error.args[0] if error.args else ()
    return {named} if isinstance(named, str) else set(named)


def misplaced(error: KafkaError) -> dict[TopicPartition, int | None]:
    """Return the partitions whose log lacks the next record, and the offset where the log differs, if known."""
    if isinstance(error, LogTruncationError):
        ends = error.divergent_offsets.items()
        return {(tp.topic, tp.partition): None if end is None else int(end.offset) for tp, end in ends}
    named = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    return {(tp.topic, tp.partition): None for tp in named}
