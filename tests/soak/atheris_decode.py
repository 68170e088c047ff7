"""Fuzz the decoder with atheris: `python -m tests.soak.atheris_decode -runs=1000000 CORPUS_FOLDER`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["consumers.events.decode", "msgspec"]):
    from tests.support.decoding import DECODER, NOW, SETTINGS, check

from consumers.events.record import Record

TOPICS = [*SETTINGS.topics(), "elsewhere"]


def one(data: bytes) -> None:
    """Decode one input. Its first byte chooses the topic."""
    topic = TOPICS[data[0] % len(TOPICS)] if data else TOPICS[0]
    check(DECODER.decode(Record(topic, 0, 0, NOW, b"k", data[1:])))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
