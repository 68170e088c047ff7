"""Replay and simulator fill a real broker: all records that were counted are there, keyed and in order."""

from __future__ import annotations

import functools
import json
import random
from collections import defaultdict
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from consumers.cli.main import _run, cli
from consumers.datasets.record import Sent
from consumers.demo.embedded_servers import Broker
from consumers.events.record import Kind
from consumers.kafka_client.producer import make_producer, partition_of
from consumers.kafka_client.topics import create_topics
from consumers.replay.delivery import DeliveryError, send
from consumers.replay.to_kafka import KafkaDestination, replay
from consumers.simulator.event_stream import Simulator
from consumers.simulator.output import write_files
from consumers.simulator.world_settings import DomainSpec, WorldSettings
from tests.support.paths import USER_FILES
from tests.support.store.scanning import scanned

FILES = USER_FILES


def read_all(bootstrap: str, topic: str, expect: int) -> dict[int, list[tuple[bytes, bytes | None]]]:
    """Return key and value by partition. Poll until `expect` records have come, because end offsets may be wrong."""
    got: dict[int, list[tuple[bytes, bytes | None]]] = defaultdict(list)
    with KafkaConsumer(
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        allow_auto_create_topics=False,
        isolation_level="read_committed",
        group_id=None,
    ) as consumer:
        places = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        idle = 0
        # A few empty polls after the last expected record would show one too many.
        while idle < 3 if sum(map(len, got.values())) >= expect else idle < 50:
            polled = consumer.poll(timeout_ms=100)
            idle = 0 if polled else idle + 1
            for place, records in polled.items():
                got[place.partition] += [(r.key, r.value) for r in records]
    return got


@pytest.fixture
def world(topic_prefix: str) -> Simulator:
    movies = DomainSpec(f"{topic_prefix}-movies", users=300, items=120, kind="both")
    games = DomainSpec(f"{topic_prefix}-games", users=100, items=40, share=0.2)
    return Simulator(WorldSettings(domains=(movies, games), events=5000, events_per_day=86_400))


def check(bootstrap: str, world: Simulator, partitions: int) -> None:
    """The topics hold exactly the world's records: every key in its partition, in order."""
    wanted: dict[tuple[Kind, str], list[Sent]] = defaultdict(list)
    for record in world.records():
        wanted[record.kind, record.domain].append(record)
    assert len(wanted) == 4
    for (kind, domain), records in wanted.items():
        got = read_all(bootstrap, f"{kind}.{domain}", len(records))
        expected: dict[int, list[bytes]] = defaultdict(list)
        for record in records:
            expected[partition_of(record.key, partitions if kind == "interactions" else 1)].append(record.key)
        assert {p: [key for key, _ in rows] for p, rows in got.items()} == expected


def test_simulator_to_kafka(bootstrap: str, world: Simulator) -> None:
    """Every record arrives once, byte for byte."""
    client = {"bootstrap_servers": bootstrap}
    topics: list[tuple[str, Kind]] = []
    for spec in world.settings.domains:
        topics += [(f"interactions.{spec.name}", "interactions"), (f"items.{spec.name}", "items")]
    assert sorted(create_topics(client, topics)) == sorted(name for name, _ in topics)
    assert create_topics(client, topics) == []
    with make_producer(client) as producer:
        counts = send(world.records(), producer)
    assert (counts.sent, counts.items) == (5000, 160)
    check(bootstrap, world, 4)


def test_replay_of_files(bootstrap: str, world: Simulator, tmp_path: Path) -> None:
    """Files in the table layout hold the world's records; missing topics are created, item topics compacted."""
    write_files(world, tmp_path)
    files = [tmp_path / "interactions.csv.gz", tmp_path / "items.csv.gz"]
    client = {"bootstrap_servers": bootstrap}
    report = replay(*scanned(files), KafkaDestination(client, create=True, partitions=3))
    assert (report.sent, report.items, report.bad_rows) == (5000, 160, 0)
    check(bootstrap, world, 3)
    with KafkaAdminClient(**client) as admin:
        name = world.settings.domains[0].name
        described = admin.describe_topics([f"interactions.{name}", f"items.{name}"])
        assert sorted(len(t["partitions"]) for t in described) == [1, 3]


def test_tombstones_pass(bootstrap: str, topic_prefix: str) -> None:
    """A null value is sent as a null value."""
    client = {"bootstrap_servers": bootstrap}
    create_topics(client, [(f"items.{topic_prefix}", "items")])
    with make_producer(client, live=True) as producer:
        send([Sent("items", topic_prefix, b"i", None)], producer)
    assert read_all(bootstrap, f"items.{topic_prefix}", 1) == {0: [(b"i", None)]}


def test_topics_are_not_created_unasked(bootstrap: str, world: Simulator, tmp_path: Path) -> None:
    """A typing error in the config must not create a topic."""
    write_files(world, tmp_path)
    with pytest.raises(DeliveryError, match="does not exist"):
        replay(*scanned([tmp_path / "items.csv.gz"]), KafkaDestination({"bootstrap_servers": bootstrap}))


def test_no_broker_is_an_error_in_time(own_broker: Broker, world: Simulator, tmp_path: Path) -> None:
    """Without a broker kafka-python's error comes within the client's own time limit."""
    write_files(world, tmp_path)
    own_broker.stop()
    client = {"bootstrap_servers": own_broker.bootstrap, "bootstrap_timeout_ms": 500}
    with pytest.raises(KafkaError):
        replay(*scanned([tmp_path / "items.csv.gz"]), KafkaDestination(client))


def test_a_broker_lost_on_the_way_is_an_error(own_broker: Broker) -> None:
    """Records that were not acknowledged are never counted as sent."""
    client = {"bootstrap_servers": own_broker.bootstrap}
    create_topics(client, [("interactions.movies", "interactions")])
    options = {"request_timeout_ms": 500, "delivery_timeout_ms": 1500}
    producer = make_producer(client, live=True, **options)
    try:

        def records() -> list[Sent]:
            return [Sent("interactions", "movies", b"u%d" % n, b"{}") for n in range(100)]

        assert send(records(), producer).sent == 100
        own_broker.stop()
        with pytest.raises(DeliveryError):
            send(records(), producer)
    finally:
        producer.close(timeout=1)


def test_a_record_over_the_topics_limit_is_a_bad_row_and_the_rest_goes_on(
    bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    """With `max.message.bytes` (not on the embedded broker) the row is named by line, and all others are there."""
    client = {"bootstrap_servers": bootstrap}
    topic = f"items.{topic_prefix}"
    with KafkaAdminClient(**client) as admin:
        configs = {"max.message.bytes": "20000"}
        admin.create_topics(
            {topic: {"num_partitions": 1, "replication_factor": -1, "configs": configs}},
            wait_for_metadata=True,
        )
    rng = random.Random(0)  # what compresses well is small enough
    large = (3, 4, 170)
    titles = [rng.randbytes(50_000 if n in large else 150).hex() for n in range(300)]
    path = tmp_path / "items.csv"
    path.write_text("item_id,title\n" + "".join(f"i{n},{title}\n" for n, title in enumerate(titles)))
    scans, limits = scanned([path], topic_prefix)
    report = replay(scans, limits, KafkaDestination(client))
    got = [key.decode() for key, _ in read_all(bootstrap, topic, report.items)[0]]
    refused = [row.line - 2 for row in report.refused]
    assert refused in ([], list(large))
    assert got == [f"i{n}" for n in range(300) if n not in refused]
    assert (report.items, report.bad_rows) == (300 - len(refused), len(refused))


def test_the_command_sends_what_it_said(
    bootstrap: str, topic_prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal it goes on. Too large rows, and rows after a cut, are left out, with exit code 1."""
    config = tmp_path / "crosscurrent.toml"
    config.write_text(f'[kafka]\nbootstrap_servers = ["{bootstrap}"]\n[domains.{topic_prefix}]\n')
    files = [str(FILES / "f14" / "items.jsonl.gz"), str(FILES / "u29" / "cut.csv.gz")]
    words = ["replay", *files, "-c", str(config), "-d", topic_prefix, "--create-topics"]
    assert _run(functools.partial(cli, words)) == 1
    said = capsys.readouterr().err
    assert "sent 1,691 interactions and 2 items" in said
    assert f"{files[1]} was not read to its end" in said
    items = read_all(bootstrap, f"items.{topic_prefix}", 2)
    assert [key for key, _ in items[0]] == [b"a", b"c"]
    events = read_all(bootstrap, f"interactions.{topic_prefix}", 1691)
    assert sum(map(len, events.values())) == 1691


def test_a_file_that_is_sent_again_has_the_same_event_ids(
    bootstrap: str, topic_prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So `run` ignores it. A line says so, and for how long."""
    config, path = tmp_path / "crosscurrent.toml", tmp_path / "views.csv"
    config.write_text(f'[kafka]\nbootstrap_servers = ["{bootstrap}"]\n[domains.{topic_prefix}]\n')
    path.write_text("user_id,item_id,timestamp\n" + "u,i,1500000000\n" * 2 + "v,i,1500000001\n")
    words = [
        "replay",
        str(path),
        "-c",
        str(config),
        "-d",
        topic_prefix,
        "--create-topics",
        "--partitions",
        "1",
    ]
    for _ in range(2):
        assert _run(functools.partial(cli, words)) == 0
        assert "among the latest 100,000 events (intake.dedup_events)" in capsys.readouterr().err
    ids = [
        json.loads(value or b"")["event_id"]
        for _, value in read_all(bootstrap, f"interactions.{topic_prefix}", 6)[0]
    ]
    assert ids[:3] == ids[3:]
    assert len(set(ids)) == 3
