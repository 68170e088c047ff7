"""When each event became readable, as looks at the store have found it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from consumers.demo.shards.sightings import LOOK_SECONDS, Sightings, StoreWatch
from tests.support.clock import Clock

ANN = ("games", "ann")


def test_each_event_has_the_time_of_the_record_that_first_counted_it() -> None:
    """Later records with no more events change nothing; a count that falls after a crash does not either."""
    seen = Sightings()
    seen.note({ANN: 2}, {"ann": 1_000})
    seen.note({ANN: 2}, {"ann": 2_000})
    seen.note({ANN: 1}, {"ann": 3_000})
    assert seen.latest[ANN] == 1
    seen.note({ANN: 4, ("movies", "ann"): 1}, {"ann": 4_000})
    assert [seen.readable_ms(ANN, n) for n in range(5)] == [1_000, 1_000, 4_000, 4_000, None]
    assert seen.readable_ms(("movies", "ann"), 0) == 4_000
    assert seen.readable_ms(("movies", "bob"), 0) is None
    assert seen.users() == {"ann"}


class Records:
    """Answers as Redis does, from records of users."""

    def __init__(self, records: dict[str, dict[str, bytes]], lists: set[str]) -> None:
        self.records, self.lists, self.looks = records, lists, 0
        self._asked: list[Any] = []

    def scan_iter(self, match: str, count: int) -> Iterator[bytes]:
        assert (match, count > 0) == ("cc:user:*", True)
        self.looks += 1
        return iter([key.encode() for key in self.records])

    def pipeline(self, transaction: bool) -> Records:
        assert not transaction
        self._asked = []
        return self

    def hmget(self, key: str, *fields: str) -> None:
        self._asked.append([self.records.get(key, {}).get(field) for field in fields])

    def exists(self, key: str) -> None:
        self._asked.append(int(key in self.lists))

    def execute(self) -> list[Any]:
        return self._asked


def test_looks_come_from_time_to_time() -> None:
    """Users' counts are those of their records; a domain without events has none."""
    clock = Clock()
    store = Records(
        {
            "cc:user:{ann}": {"published_ts": b"5000", "events:games": b"3"},
            "cc:user:{b}ob}": {"published_ts": b"6000", "events:games": b"1", "events:movies": b"9"},
        },
        {"cc:rec:{ann}:games"},
    )
    watch = StoreWatch(store, ["games", "movies"], clock)
    assert watch.look_if_due()
    assert not watch.look_if_due()
    clock.now += LOOK_SECONDS
    assert watch.look_if_due()
    assert store.looks == 2
    assert watch.seen.latest == {ANN: 3, ("games", "b}ob"): 1, ("movies", "b}ob"): 9}
    assert watch.seen.readable_ms(("movies", "b}ob"), 8) == 6_000
    assert watch.lists_of(["ann", "b}ob"], "games") == 1
