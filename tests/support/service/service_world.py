"""Make a service between a real broker and a real store, with its own topics and keys."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from consumers.kafka_client.topics import create_topics
from serving.client import Reader
from tests.support.service.running import Running, wait_for

DOMAINS: dict[str, dict[str, Any]] = {"movies": {"role": "source"}, "books": {"role": "target"}}


class World:
    """A service with its topics, a producer and a store, all under one prefix."""

    def __init__(self, folder: Path, bootstrap: str, url: str, prefix: str) -> None:
        self.prefix, self.bootstrap, self.url = prefix, bootstrap, url
        self.service = Running(folder, bootstrap, url, prefix, DOMAINS)
        names = [(f"{kind}.{prefix}.{d}", kind) for d in DOMAINS for kind in ("interactions", "items")]
        create_topics({"bootstrap_servers": bootstrap}, names, 2)  # type: ignore[arg-type]
        create_topics({"bootstrap_servers": bootstrap}, [(f"{prefix}.dead", "interactions")], 1)
        self.producer = KafkaProducer(bootstrap_servers=bootstrap)
        self.store = redis.Redis.from_url(url, legacy_responses=False)

    def close(self) -> None:
        self.service.kill()
        self.producer.close()
        self.store.close()

    def item(self, domain: str, item: str, **fields: Any) -> None:
        value = json.dumps({"item_id": item, **fields}).encode()
        self.producer.send(f"items.{self.prefix}.{domain}", key=item.encode(), value=value)

    def remove(self, domain: str, item: str) -> None:
        self.producer.send(f"items.{self.prefix}.{domain}", key=item.encode(), value=None)

    def rate(self, domain: str, user: str, item: str, value: float, **fields: Any) -> None:
        event = {"type": "rating", "user_id": user, "item_id": item, "value": value, **fields}
        self.raw(domain, user, json.dumps(event).encode())

    def raw(self, domain: str, key: str | None, value: bytes | None) -> None:
        self.producer.send(
            f"interactions.{self.prefix}.{domain}", key=key.encode() if key else None, value=value
        )

    def fill(self, events: int = 60) -> None:
        for domain in DOMAINS:
            for n in range(20):
                self.item(domain, f"{domain[0]}{n}", title=f"Title {n} of {domain}")
        for n in range(events):
            domain = "movies" if n % 3 else "books"
            self.rate(domain, f"u{n % 7}", f"{domain[0]}{(n * 5) % 20}", 1 + n % 5, event_id=f"e{n}")
        self.producer.flush()

    def learned(self) -> int:
        """Return the events learned by this process."""
        return int(self.service.metric("crosscurrent_events_total"))

    def counts(self, user: str) -> int:
        """Return the events ever learned of a user, as published."""
        fields = self.store.hgetall(f"{self.prefix}:user:{{{user}}}")
        return sum(int(v) for k, v in fields.items() if k.startswith(b"events:"))

    def items_for(self, user: str, domain: str) -> list[str]:
        return [i.id for i in Reader(self.url, self.prefix).recommend(user, domain, 50).items]

    def dead_letters(self, count: int) -> list[Any]:
        with KafkaConsumer(
            bootstrap_servers=self.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
        ) as consumer:
            consumer.assign([TopicPartition(f"{self.prefix}.dead", 0)])
            found: list[Any] = []

            def read() -> bool:
                for records in consumer.poll(timeout_ms=200).values():
                    found.extend(records)
                return len(found) >= count

            wait_for(read, why=f"{count} dead letters")
            return found


@contextlib.contextmanager
def started(world: World) -> Iterator[World]:
    """Start a service that has learned 30 events and is ready; close its world at the end."""
    try:
        world.fill(30)
        world.service.start()
        world.service.wait_until_ready()
        world.service.wait_for(lambda: world.learned() == 30, why="30 learned")
        yield world
    finally:
        world.close()
