"""Run several shards of one service between a real broker and a real store, and count what each has learned."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import redis
from kafka import KafkaProducer

from consumers.config.loader import load
from consumers.kafka_client.producer import partition_of
from consumers.kafka_client.topics import create_topics
from consumers.sharing.folders import present_folder
from models.arms.arm_comparison import ArmComparison
from models.signals.popularity import EVER
from models.state.checkpoint import CheckpointDirectory
from tests.support.service.running import Running, wait_for
from tests.support.service.service_world import DOMAINS

PARTITIONS, USERS = 4, 24
START_PATIENCE = 240.0


class Shards:
    """Some processes with folders of their own, a producer and a store."""

    def __init__(
        self, folder: Path, bootstrap: str, url: str, prefix: str, count: int, of_books: int = PARTITIONS
    ) -> None:
        """of_books: partitions of one of the topics of events."""
        self.prefix, self.bootstrap, self.count = prefix, bootstrap, count
        self._folder, self._url = folder, url
        client = {"bootstrap_servers": bootstrap}
        create_topics(client, [(self.topic("books"), "interactions")], of_books)
        create_topics(client, [(self.topic("movies"), "interactions")], PARTITIONS)
        create_topics(client, [(f"items.{prefix}.{d}", "items") for d in DOMAINS], 1)
        self.shards = [self.process(index) for index in range(count)]
        self.created = self.create_topics()
        self.producer = KafkaProducer(bootstrap_servers=bootstrap)
        self.store = redis.Redis.from_url(url, legacy_responses=False)
        self.users: Counter[tuple[str, str]] = Counter()
        """Events by user and domain."""
        self.items: Counter[tuple[str, str]] = Counter()
        self._sent = 0
        self._others = list[Running]()

    def create_topics(self) -> subprocess.CompletedProcess[str]:
        """Create the topics that are missing by the command."""
        return self.shards[0].command("check", "--config", str(self.shards[0].config), "--create-topics")

    def rescale(self, count: int) -> subprocess.CompletedProcess[str]:
        """Make the stopped processes, which share one checkpoint directory, into another number of them."""
        line = ("rescale", "--config", str(self.shards[0].config), "--count", str(count))
        done = self.shards[0].command(*line)
        self.count = count
        self.shards = [self.process(index) for index in range(count)]
        self.create_topics()
        return done

    def topic(self, domain: str) -> str:
        return f"interactions.{self.prefix}.{domain}"

    def process(self, index: int, name: str = "", **keys: Any) -> Running:
        """Return a process of a shard, not started. name: of a twin."""
        folder = self._folder / f"shard-{index}{name}"
        folder.mkdir(parents=True, exist_ok=True)
        shards = {"count": self.count, "index": index, "share_ms": 100.0} | keys
        return Running(folder, self.bootstrap, self._url, self.prefix, DOMAINS, shards)

    def network(self, name: str = "", **keys: Any) -> Running:
        """Return the process that trains the network, not started. name: of a twin."""
        folder = self._folder / f"network{name}"
        folder.mkdir(parents=True, exist_ok=True)
        shards = {"count": self.count, "network_ms": 200.0} | keys
        trainer = Running(folder, self.bootstrap, self._url, self.prefix, DOMAINS, shards)
        trainer.verb = "network"
        self._others.append(trainer)
        return trainer

    def start(self) -> None:
        """Start all and wait until they are ready."""
        for shard in self.shards:
            shard.start()
        for shard in self.shards:
            shard.wait_until_ready(START_PATIENCE)

    def send_items(self) -> None:
        """Send 20 items of each domain, with texts."""
        for domain in DOMAINS:
            for n in range(20):
                name = f"{domain[0]}{n}"
                item = {"item_id": name, "title": f"{domain} {n}", "text": f"words of {n * n} {n % 3}"}
                self.producer.send(
                    f"items.{self.prefix}.{domain}", key=name.encode(), value=json.dumps(item).encode()
                )
        self.producer.flush()

    def send(self, events: int, wrong: bool = False) -> None:
        """Send events of all users. wrong: into the partition after that of their key."""
        for _ in range(events):
            n = self._sent = self._sent + 1
            domain = ("movies", "books")[n % 3 == 0]
            user, item = f"user-{n % USERS}", f"{domain[0]}{(n * 7) % 20}"
            event = {
                "type": "rating",
                "user_id": user,
                "item_id": item,
                "value": 1 + n % 5,
                "event_id": f"e{n}",
            }
            partition = (partition_of(user.encode(), PARTITIONS) + wrong) % PARTITIONS
            value = json.dumps(event).encode()
            self.producer.send(self.topic(domain), key=user.encode(), value=value, partition=partition)
            self.users[user, domain] += 1
            self.items[domain, item] += 1
        self.producer.flush()

    def stored(self) -> Counter[tuple[str, str]]:
        """Return the events of users, as published."""
        found: Counter[tuple[str, str]] = Counter()
        for user in {user for user, _ in self.users}:
            for name, value in self.store.hgetall(f"{self.prefix}:user:{{{user}}}").items():
                if name.startswith(b"events:"):
                    found[user, name.decode().removeprefix("events:")] = int(value)
        return found

    def wait_until_counted(self) -> None:
        """Wait until every user's events are published, each once."""
        try:
            wait_for(lambda: self.stored() == self.users, START_PATIENCE)
        except AssertionError:
            wrong = {k: (self.stored()[k], n) for k, n in self.users.items() if self.stored()[k] != n}
            logs = [shard.log.read_text()[-1500:] for shard in self.shards]
            raise AssertionError(f"stored and sent differ: {wrong}; {logs}") from None

    def stop(self) -> list[int]:
        """Stop all in order; return the exit codes."""
        return [shard.stop() for shard in self.shards]

    def counted(self, shard: Running, index: int) -> Counter[tuple[str, str]]:
        """Return how often a stopped shard has counted each item."""
        settings = load(shard.config, {**os.environ, "CROSSCURRENT_SHARDS__INDEX": str(index)})
        state, _ = CheckpointDirectory(present_folder(settings), read_only=True).load()
        assert state is not None
        arms = ArmComparison(settings.domain_list(), settings.learning())
        arms.load(state["arms"])
        found: Counter[tuple[str, str]] = Counter()
        for domain, number in arms.full.index.items():
            counts = arms.full.ranker.statistics.popularity[number].counts
            for item, row in arms.full.catalogues[number].ids.items():
                found[domain, item] = round(float(counts[row, EVER])) if row < len(counts) else 0
        return +found

    def close(self) -> None:
        for shard in (*self.shards, *self._others):
            shard.kill()
        self.producer.close()
        self.store.close()


def every_copy_counted_every_event(shards: Shards) -> None:
    """Stop all, and compare what each has counted of each item with what was sent.

    A shard may stop before it has read the last facts of others, so all are started once more: a start reads them all.
    """
    assert shards.stop() == [0] * shards.count
    shards.start()
    assert shards.stop() == [0] * shards.count
    for index, shard in enumerate(shards.shards):
        assert shards.counted(shard, index) == shards.items, f"shard {index}"
