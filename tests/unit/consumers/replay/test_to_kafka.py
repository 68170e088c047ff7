"""Records are sent in order, tested with a producer that only remembers them."""

from __future__ import annotations

import io
import itertools
import random
import time
from pathlib import Path
from typing import Any, cast

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError
from kafka.partitioner.default import DefaultPartitioner
from rich.console import Console

from consumers.datasets.problems import BadRow, TableError
from consumers.datasets.record import Sent
from consumers.events.record import Kind
from consumers.kafka_client.producer import partition_of
from consumers.replay.delivery import DeliveryError, Hooks, Outsized, SendCounts, send
from consumers.replay.time_sort import sorted_by_time
from consumers.replay.to_kafka import KafkaDestination, ReplayReport, replay
from tests.support.store.scanning import scanned


class Done:
    """A delivery that has succeeded, or failed with `error`."""

    is_done = True

    def __init__(self, error: KafkaError | None) -> None:
        self.error = error

    def get(self, timeout: float) -> Done:
        assert timeout
        if self.error:
            raise self.error
        return self


class Producer:
    """A producer that remembers (topic, value, key, partition), and fails the record `fails_at`."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.sent: list[tuple[str, bytes | None, bytes, int]] = []
        self.fails_at = fails_at
        self.flushed = self.closed = False

    def partitions_for(self, topic: str) -> set[int]:
        return {0} if topic.startswith("items") else {0, 1, 2, 3}

    def send(self, topic: str, value: bytes | None, key: bytes, partition: int) -> Done:
        self.sent.append((topic, value, key, partition))
        error = KafkaTimeoutError("too slow") if len(self.sent) - 1 == self.fails_at else None
        return Done(error)

    def flush(self, timeout: float) -> None:
        self.flushed = bool(timeout)

    def close(self, timeout: float | None = None) -> None:
        self.closed = timeout is None or timeout < 10


def sending(producer: Producer, records: list[Sent], **options: Any) -> SendCounts:
    return send(records, cast(KafkaProducer, producer), **options)


def event(n: int, domain: str = "movies") -> Sent:
    return Sent("interactions", domain, b"u%d" % n, b"{}", n)


def test_send_counts_and_names_topics() -> None:
    """Interactions and items are counted apart; `prepare` comes once a topic, before its first record.

    Each record is told once it is acknowledged.
    """
    producer, prepared, acknowledged = Producer(), list[tuple[str, str, int]](), list[Done]()

    def prepare(topic: str, kind: Kind) -> None:
        prepared.append((topic, kind, len(producer.sent)))

    records = [Sent("items", "movies", b"i1", None), event(1), event(2), event(3, "books")]
    hooks = Hooks(prepare=prepare, on_acknowledged=lambda _, place: acknowledged.append(place))
    counts = sending(producer, records, hooks=hooks)
    assert len(acknowledged) == 4
    assert (counts.sent, counts.items) == (3, 1)
    assert counts.events_per_second > 0
    assert producer.flushed
    assert prepared == [
        ("items.movies", "items", 0),
        ("interactions.movies", "interactions", 1),
        ("interactions.books", "interactions", 3),
    ]
    assert producer.sent[0] == ("items.movies", None, b"i1", 0)


def test_partition_is_that_of_the_default_partitioner() -> None:
    """The partition is that of the default partitioner, so all producers send a user to the same one."""

    class Cluster:
        def topics(self) -> set[str]:
            return {"t"}

        def partitions_for_topic(self, topic: str) -> set[int]:
            assert topic == "t"
            return set(range(7))

        available_partitions_for_topic = partitions_for_topic

    for n in range(200):
        key = f"user-{n}".encode()
        assert partition_of(key, 7) == DefaultPartitioner().partition("t", key, key, None, None, Cluster())


@pytest.mark.parametrize("at", [0, 1999, 2100])
def test_a_failed_delivery_is_an_error(at: int) -> None:
    """A failed delivery is raised anywhere in the stream, and also after the last record."""
    with pytest.raises(DeliveryError, match="too slow"):
        sending(Producer(fails_at=at), [event(n) for n in range(2101)])


def test_a_refused_record_is_an_error() -> None:
    """A record that the producer itself refuses is an error too."""

    class Refusing(Producer):
        def send(self, *_: object, **__: object) -> Done:
            raise MessageSizeTooLargeError("2 MB")

    with pytest.raises(DeliveryError, match="2 MB"):
        sending(Refusing(), [event(1)])


def test_a_record_too_large_goes_alone_and_may_be_refused() -> None:
    """A large record is sent in order by a producer of its own; if refused, file and line are named."""
    producer, refused = Producer(), list[BadRow]()

    class Refusing(Producer):
        def send(self, *_: Any, **__: Any) -> Done:
            assert len(producer.sent) == 2
            assert producer.flushed
            return Done(MessageSizeTooLargeError("2 MB"))

    records = [event(n) for n in range(5)]
    records[2] = Sent("interactions", "movies", b"u2", b"x" * 100, 2, "r.csv", 3)
    outsized = Outsized(50, lambda: cast(KafkaProducer, Refusing()), refused.append)
    assert sending(producer, records, outsized=outsized).sent == 4
    assert [key for _, _, key, _ in producer.sent] == [b"u0", b"u1", b"u3", b"u4"]
    assert [(row.file, row.line) for row in refused] == [("r.csv", 3)]
    assert "102 bytes" in refused[0].reason
    assert "max.message.bytes" in refused[0].reason


def test_rate_paces_interactions_only() -> None:
    """N interactions take N / rate seconds; items do not wait."""
    items = [Sent("items", "movies", b"i", b"{}")] * 500
    started = time.monotonic()
    sending(Producer(), [*items, *(event(n) for n in range(30))], rate=100.0)
    assert 0.28 < time.monotonic() - started < 2.0


class Admin:
    """Make a broker with every topic of movies, books and food."""

    def __init__(self, **_: object) -> None: ...
    def __enter__(self) -> Admin:
        return self

    def __exit__(self, *_: object) -> None: ...
    def describe_configs(self, *_: object, **__: object) -> dict[str, object]:
        return {}

    def list_topics(self) -> list[str]:
        return [f"{k}.{d}" for k in ("interactions", "items") for d in ("movies", "books", "food")]


def replaying(files: list[Path], producer: Producer, domain: str | None = None) -> ReplayReport:
    scans, check = scanned(files, domain)
    to = KafkaDestination({"bootstrap_servers": "nowhere"}, admin=Admin, producer=lambda *_, **__: producer)
    return replay(scans, check, to, Console(file=io.StringIO()))


@pytest.fixture
def kafka() -> Producer:
    return Producer()


def write(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


EVENTS = "user_id,item_id,domain,rating,timestamp"


def test_items_go_first_then_events_in_time_order_over_files(kafka: Producer, tmp_path: Path) -> None:
    """Items go first and events in time order, for any order of the files."""
    rows = {
        d: [f"{d}{n},i,{d},3,{1_500_000_000 + 2 * n + k}" for n in range(50)]
        for k, d in enumerate(("movies", "books"))
    }
    files = [write(tmp_path / f"{d}.csv", EVENTS, r) for d, r in rows.items()]
    files.append(write(tmp_path / "items.csv", "item_id,domain,title", ["i,movies,A", "i,books,B"]))
    report = replaying(files, kafka)
    assert (report.sent, report.items, report.bad_rows, report.sorted_files) == (100, 2, 0, [])
    assert [topic for topic, *_ in kafka.sent[:2]] == ["items.movies", "items.books"]
    users = [key.decode() for _, _, key, _ in kafka.sent[2:]]
    assert users == [f"{d}{n}" for n in range(50) for d in ("movies", "books")]
    assert kafka.closed


def test_a_file_out_of_order_is_sorted(kafka: Producer, tmp_path: Path) -> None:
    """A file that is sorted by user, as MovieLens, is sorted by time."""
    order = random.Random(1).sample(range(100), 100)
    path = write(tmp_path / "r.csv", EVENTS, [f"u{n},i,movies,3,{1_500_000_000 + n}" for n in order])
    report = replaying([path], kafka)
    assert report.sorted_files == [str(path)]
    assert [key for _, _, key, _ in kafka.sent] == [b"u%d" % n for n in range(100)]


@pytest.mark.parametrize("run_rows", [7, 100_000])
def test_equal_times_keep_their_order(run_rows: int) -> None:
    """Rows of one day keep the file's order, also if they do not fit in memory."""
    records = [Sent("interactions", "movies", b"%d" % n, b"{}", 5 - n % 2) for n in range(20)]
    got = [r.key for r in sorted_by_time(iter(records), run_rows=run_rows)]
    assert got == [b"%d" % n for n in itertools.chain(range(1, 20, 2), range(0, 20, 2))]


def test_bad_rows_are_counted_and_the_first_are_named(kafka: Producer, tmp_path: Path) -> None:
    """Bad rows are counted and the first are named; the others are sent."""
    rows = ["u,i,movies,3,1500000000", *["u,i,movies,x,1500000000"] * 50, "u,i,movies,4,1500000000"]
    path = write(tmp_path / "r.csv", EVENTS, rows)
    report = replaying([path], kafka)
    assert (report.sent, report.bad_rows) == (len(kafka.sent), 50) == (2, 50)
    assert [str(bad) for bad in report.bad] == [
        f"{path}:{n}: rating 'x' is not a number" for n in range(3, 23)
    ]


def test_nothing_readable_is_an_error_before_anything_is_sent(kafka: Producer, tmp_path: Path) -> None:
    """The message names the first bad row, the domains there are, or that there are no rows."""
    good = write(tmp_path / "good.csv", EVENTS, ["u,i,movies,3,1500000000"])
    bad = write(tmp_path / "bad.csv", EVENTS, ["u,i,movies,x,1500000000"])
    empty = write(tmp_path / "empty.csv", EVENTS, [])
    for files, domain, message in (
        ([good, bad], None, "bad.csv:2: rating 'x' is not a number"),
        ([good], "music", "no row is of domain 'music'; there are 'movies'"),
        ([empty], None, "no rows"),
        ([tmp_path / "missing.csv"], None, "No such file"),
    ):
        with pytest.raises(TableError, match=message):
            replaying(files, kafka, domain)
    assert kafka.sent == []


def test_a_missing_topic_is_named(kafka: Producer, tmp_path: Path) -> None:
    """A missing topic is an error, unless it may be created."""
    path = write(tmp_path / "r.csv", EVENTS, ["u,i,music,3,1500000000"])
    with pytest.raises(DeliveryError, match=r"interactions\.music does not exist"):
        replaying([path], kafka)
    assert kafka.sent == []
    assert kafka.closed


def test_rows_of_other_domains_are_counted(kafka: Producer, tmp_path: Path) -> None:
    """`domain` picks from a table that has several."""
    path = write(tmp_path / "r.csv", EVENTS, ["u,i,movies,3,1500000000", "u,i,food,3,1500000001"])
    report = replaying([path], kafka, "food")
    assert (report.sent, report.skipped_rows, report.bad_rows) == (1, 1, 0)
    assert [topic for topic, *_ in kafka.sent] == ["interactions.food"]
