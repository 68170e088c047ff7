"""`crosscurrent demo --shards`: its feed, its looks at the store, and all of it as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from kafka import KafkaConsumer, TopicPartition

from consumers.demo.embedded_servers import Broker, Store
from consumers.demo.feed.producer import PacedFeed
from consumers.demo.feed.sent_events import POISON, read_sent
from consumers.demo.feed.worlds import world_of
from consumers.demo.options import DemoOptions
from consumers.demo.shards.balance import balance, counts_of
from consumers.demo.shards.sightings import StoreWatch
from consumers.kafka_client.read_to_ends import READER, read_to_ends
from consumers.kafka_client.topics import create_topics
from serving.client.lists import ListedItem, RecommendationList
from serving.contract import Keys, hash_write, list_write
from serving.store.redis_store import open_store
from tests.support.service.running import wait_for

EVENTS = 1_000
DOMAINS = ("movies", "books", "games")
pytestmark = pytest.mark.timeout(600)


def learnable(bootstrap: str) -> Counter[tuple[str, str]]:
    """Return the events of the log by domain and user: neither malformed nor repeated."""
    found: Counter[tuple[str, str]] = Counter()
    known = set[tuple[str, str]]()
    with KafkaConsumer(bootstrap_servers=bootstrap, **READER) as consumer:
        for domain in DOMAINS:
            topic = f"interactions.{domain}"
            places = [TopicPartition(topic, n) for n in sorted(consumer.partitions_for_topic(topic))]
            consumer.assign(places)
            consumer.seek_to_beginning()
            for record in read_to_ends(consumer, places, {}):
                if record.value in POISON:
                    continue
                event = json.loads(record.value)
                if (domain, event["event_id"]) not in known:
                    known.add((domain, event["event_id"]))
                    found[domain, event["user_id"]] += 1
    return found


def test_the_feed_waits_in_the_middle_and_tells_what_the_log_holds(tmp_path: Path, broker: Any) -> None:
    """Each event to be learned once, by user, as anybody can read it in the log, with times in order."""
    del broker  # it is installed here; this test needs one with nothing in it
    options = DemoOptions(EVENTS, None, 0)
    with Broker() as own:
        client = {"bootstrap_servers": own.bootstrap}
        create_topics(client, [(f"interactions.{d}", "interactions") for d in DOMAINS], 8)
        create_topics(client, [(f"items.{d}", "items") for d in DOMAINS], 1)
        feed = PacedFeed(own.bootstrap, options, list(DOMAINS), world_of(options), tmp_path / "sent")
        try:
            feed.wait_for_items()
            assert feed.first_sent() is None
            feed.go()
            first = wait_for(feed.first_sent)
            assert options.burst() - 10 < first < options.burst(), (
                "some of the first are malformed or repeats"
            )
            assert not feed.finished()
            feed.go_on(2_000.0)
            wait_for(feed.finished)
            placed, sent = feed.placed(), read_sent(tmp_path / "sent")
        finally:
            feed.stop()
        assert (len(sent.events), sent.malformed, sent.repeats) == (EVENTS, EVENTS // 500, EVENTS // 200)
        assert sum(part.events for part in placed.values()) == EVENTS + EVENTS // 500 + EVENTS // 200
        assert balance(counts_of(sent.events), learnable(own.bootstrap)).exact
    for who in counts_of(sent.events):
        times = [event.sent_ms for event in sent.events if (event.domain, event.user) == who]
        assert times == sorted(times)


def test_the_store_is_watched_as_the_service_writes_it(redis_store: Any) -> None:
    """Counts and times of users' records; users with a list of their own."""
    del redis_store
    keys = Keys()
    with Store() as own:
        store = open_store(own.url)
        fields = {"published_ts": 5_000, "events:games": 3, "vector": b"\0" * 96}
        some = RecommendationList(1, 1, 5_000, 5_000, [ListedItem("g1", 1.0)])
        store.write([hash_write(keys.user("ann"), fields), hash_write(keys.user("b}ob"), {"dim": 24})])
        store.write([list_write(keys.recommendations("ann", "games"), some, None)])
        client = redis.Redis.from_url(own.url)
        watch = StoreWatch(client, ["games", "movies"])
        watch.look()
        assert watch.seen.latest == {("games", "ann"): 3}
        assert watch.seen.readable_ms(("games", "ann"), 2) == 5_000
        assert watch.lists_of(["ann", "b}ob"], "games") == 1
        client.close()


class Command:
    """The command, with a folder for temporary files of its own. Its output goes to a file."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder, self.output = folder, folder / "output"
        line = [sys.executable, "-m", "consumers.cli", "demo", "--json", str(folder / "demo.json"), *words]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                line, stdout=output, stderr=output, env=os.environ | {"TMPDIR": str(folder)}
            )

    def said(self) -> str:
        return self.output.read_text()

    def left(self) -> list[str]:
        """Return the command lines of processes that name the folder, and what is left of temporary folders."""
        lines = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue  # it has just ended
        running = [line for line in lines if str(self.folder) in line]
        return running + [str(path) for path in self.folder.glob("crosscurrent-*")]


def test_ctrl_c_ends_every_process_and_leaves_nothing(tmp_path: Path, broker: Any, redis_store: Any) -> None:
    """While they start."""
    del broker, redis_store
    demo = Command(tmp_path, "--shards", "2", "--events", str(EVENTS))
    try:
        wait_for(lambda: "3 processes start" in demo.said() or demo.process.poll() is not None, 240.0)
        wait_for(lambda: len([line for line in demo.left() if " --config " in line]) == 3, why=demo.said())
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(60) == 128 + signal.SIGINT, demo.said()
        assert "stopped before the stream ended" in demo.said()
        wait_for(lambda: not demo.left(), why=str(demo.left()))
    finally:
        demo.process.kill()
        demo.process.wait()


@pytest.mark.soak
@pytest.mark.parametrize(
    "words", [("--shards", "2"), ("--shards", "3", "--scenario", "news", "--rate", "100")]
)
def test_one_is_killed_and_nothing_is_lost(
    words: tuple[str, ...], tmp_path: Path, broker: Any, redis_store: Any
) -> None:
    """Every event of the feed counts once, with its user and in every process; the killed shard's users waited."""
    del broker, redis_store
    shards = int(words[1])
    demo = Command(tmp_path, "--events", str(EVENTS), *words)
    try:
        assert demo.process.wait(500) == 0, demo.said()
    finally:
        demo.process.kill()
        demo.process.wait()
    told = msgspec.json.decode((tmp_path / "demo.json").read_bytes())
    assert (told["learned"], told["lost"], told["counted_twice"]) == (EVENTS, 0, 0)
    assert told["events_in"] == EVENTS + EVENTS // 500 + EVENTS // 200
    assert told["dead_letters"] == told["malformed"] == EVENTS // 500
    names = [*(f"shard {n}" for n in range(shards)), "network"]
    assert told["learned_by_copy"] == dict.fromkeys(names, EVENTS)
    assert told["killed_shard_waited"]["events"] > 0
    assert told["killed_shard_waited"]["users"] <= told["killed_shard_users"]
    assert told["killed_shard_lists_meanwhile"] >= told["killed_shard_lists_before"] > 0
    # The first of them to act waited for nearly all of the time that the shard was away.
    assert told["killed_shard_waited"]["longest_seconds"] > told["other_shards_waited"]["median_seconds"]
    said = demo.said()
    for part in (
        "shard 1 is killed (kill -9)",
        "shard 1 is ready again",
        "0 lost, 0 counted twice",
        "each once",
    ):
        assert part in said
    assert "their own list" in said
    assert not demo.left()
