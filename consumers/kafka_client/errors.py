"""Say what an error of Kafka means: one behaviour for reading and one for dead letters, for every class."""

from __future__ import annotations

from typing import Literal

from kafka.errors import (
    InvalidRecordError,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    OffsetOutOfRangeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
)

Reading = Literal["retry", "gap", "no_right", "no_codec", "stop"]
"""retry: back off and poll again. gap: records are gone; stop with exit 4, or go on with --accept-gap.
no_right: on the canary topic go on without canaries, else stop with exit 2. no_codec: stop with exit 2.
stop: stop with exit 4.
"""

READING: dict[type[KafkaError], Reading] = {
    OffsetOutOfRangeError: "gap",
    TopicAuthorizationFailedError: "no_right",
    UnsupportedCodecError: "no_codec",
}
"""For other classes without a base here: retry if kafka-python calls the error retriable, else stop."""

Letter = Literal["cut", "leave_out", "send_again"]
"""cut: send less of the value, until it fits.
leave_out: the broker refuses this record; log and count it.
send_again: the cause may pass; make a new producer after a pause.
"""

LETTER: dict[type[KafkaError], Letter] = {
    MessageSizeTooLargeError: "cut",
    RecordListTooLargeError: "cut",
    InvalidRecordError: "leave_out",
    InvalidTimestampError: "leave_out",
}
"""For other classes without a base here: send again."""

OF_THE_RECORD = tuple(LETTER)
"""Errors by which a broker refuses a record, or another one of the same batch."""


def on_poll(error: KafkaError) -> Reading:
    """Return what the source does about an error of `poll`."""
    named = (READING[kind] for kind in type(error).__mro__ if kind in READING)
    return next(named, "retry" if error.retriable else "stop")


def on_letter(error: Exception) -> Letter:
    """Return what the sink does about an error of one dead letter that was sent by itself."""
    return next((LETTER[kind] for kind in type(error).__mro__ if kind in LETTER), "send_again")
