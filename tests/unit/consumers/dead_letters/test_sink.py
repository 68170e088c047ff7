"""Dead letters carry where they came from; too many of them stop the service."""

from __future__ import annotations

import pytest

from consumers.dead_letters.sink import CUT_BYTES, DeadLetter, Limits, cut, dead_letter
from consumers.errors import DEAD_LETTER_LIMIT, Stop
from consumers.events.record import Record


def record(offset: int = 7, partition: int = 3, topic: str = "interactions.movies") -> Record:
    return Record(topic, partition, offset, 1_700_000_000_123, b"k\xff", b"v\x00\xff")


def stops_at(limits: Limits, invalid: list[bool], partition: int = 0) -> int | None:
    """Return which of the records stops the service; None if none does."""
    for n, bad in enumerate(invalid):
        try:
            limits.count(record(offset=n, partition=partition), bad)
        except Stop as stop:
            return n if stop.code == DEAD_LETTER_LIMIT else -1
    return None


# The letter


def test_raw_bytes_and_provenance() -> None:
    """Key and value are the source's bytes; headers are UTF-8 with numbers in decimal."""
    letter = dead_letter(record(), "not_utf8", "byte 1: “ÿ” is not UTF-8")
    assert (letter.key, letter.value) == (b"k\xff", b"v\x00\xff")
    assert dict(letter.headers) == {
        "reason": b"not_utf8",
        "detail": "byte 1: “ÿ” is not UTF-8".encode(),
        "topic": b"interactions.movies",
        "partition": b"3",
        "offset": b"7",
        "timestamp": b"1700000000123",
    }


def test_equal_records_give_equal_letters() -> None:
    """A letter sent again after a crash is the same, headers included."""
    assert dead_letter(record(), "bad_id") == dead_letter(record(), "bad_id")


def test_a_null_value_stays_null() -> None:
    """Only a record with neither key nor value is changed."""
    letter = dead_letter(record()._replace(value=None), "null_value")
    assert letter.value is None
    assert "null_record" not in dict(letter.headers)


def test_neither_key_nor_value() -> None:
    """Kafka has no such record: the value becomes empty, and a header says so."""
    letter = dead_letter(record()._replace(key=None, value=None), "null_value")
    assert (letter.key, letter.value) == (None, b"")
    assert dict(letter.headers)["null_record"] == b"true"


def test_an_empty_value_is_not_null() -> None:
    """Empty bytes are passed on as they are."""
    letter = dead_letter(record()._replace(key=None, value=b""), "malformed_json")
    assert letter.value == b""
    assert "null_record" not in dict(letter.headers)


def test_cut_value() -> None:
    """A value that is refused is cut; headers say so and how long it was."""
    letter = cut(DeadLetter(b"k", b"v" * 1_000_000, [("reason", b"too_large")]))
    assert letter.value == b"v" * CUT_BYTES
    assert letter.headers == [("reason", b"too_large"), ("truncated", b"true"), ("length", b"1000000")]


@pytest.mark.parametrize("value", [b"v" * 5000, b"", None])
@pytest.mark.parametrize("key", [b"k" * 3_000_000, b"k", None])
def test_cutting_ends(key: bytes | None, value: bytes | None) -> None:
    """A letter that is cut again and again becomes small and keeps its first length."""
    letter = DeadLetter(key, value, [("reason", b"x")])
    for _ in range(60):
        letter = cut(letter)
    assert len(letter.key or b"") + len(letter.value or b"") <= 1
    assert (letter.key is None, letter.value is None) == (key is None, value is None)
    assert letter.headers == [
        ("reason", b"x"),
        ("truncated", b"true"),
        ("length", str(len(value or b"")).encode()),
    ]


def test_a_long_key_is_cut_before_a_short_value() -> None:
    """The longer of key and value is cut; the rest of the letter stays whole."""
    letter = cut(DeadLetter(b"k" * 3_000_000, b"v" * 100, []))
    assert (len(letter.key or b""), letter.value) == (CUT_BYTES, b"v" * 100)


# The limits


def test_valid_records_never_stop() -> None:
    """Any number of good records is fine."""
    assert stops_at(Limits(0.5, 3, window=4), [False] * 100) is None


def test_consecutive_limit() -> None:
    """`max_consecutive` invalid ones in a row pass, one more stops; a good one between starts afresh."""
    limits = Limits(1.0, 3, window=1000)
    assert stops_at(limits, [True, True, True, False] * 5) is None
    assert stops_at(limits, [True, True, True, True, True]) == 3


def test_ratio_limit() -> None:
    """A share above the ratio over the last `window` records stops; exactly the ratio does not."""
    assert stops_at(Limits(0.5, 1000, window=10), [True, False] * 50) is None
    assert stops_at(Limits(0.5, 1000, window=10), [True, False] * 5 + [True, True]) == 11


def test_ratio_counts_a_full_window_only() -> None:
    """The first few records of a partition cannot stop it by their ratio."""
    assert stops_at(Limits(0.5, 1000, window=10), [True] * 9) is None
    assert stops_at(Limits(0.5, 1000, window=10), [True] * 10) == 9


def test_ratio_forgets_what_left_the_window() -> None:
    """Invalid records long ago do not count."""
    limits = Limits(0.5, 1000, window=10)
    assert stops_at(limits, ([True] * 5 + [False] * 10) * 20) is None


def test_the_documented_defaults() -> None:
    """With 0.5 over 1,000 records half may be invalid; a stream of invalid records stops at the thousandth."""
    assert stops_at(Limits(0.5, 1000), [True, False] * 2000) is None
    assert stops_at(Limits(0.5, 1000), [True] * 2000) == 999


def test_partitions_count_apart() -> None:
    """One partition's bad records do not count against another's."""
    limits = Limits(1.0, 3, window=1000)
    for n in range(3):
        for partition in range(5):
            limits.count(record(offset=n, partition=partition), invalid=True)
    assert stops_at(limits, [True], partition=0) == 0


def test_topics_count_apart() -> None:
    """Invalid records of the same partition number in another topic count apart."""
    limits = Limits(1.0, 1, window=1000)
    limits.count(record(topic="a"), invalid=True)
    limits.count(record(topic="b"), invalid=True)
    with pytest.raises(Stop):
        limits.count(record(topic="a"), invalid=True)


def test_message_says_where_and_what_to_do() -> None:
    """The Stop names topic, partition, offset and the settings."""
    limits = Limits(1.0, 1)
    limits.count(record(offset=40), invalid=True)
    with pytest.raises(Stop) as caught:
        limits.count(record(offset=41), invalid=True)
    for part in ("interactions.movies", "partition 3", "41", "max_invalid_ratio", "max_consecutive_invalid"):
        assert part in str(caught.value)
