"""Send events at a steady rate, and know what a service must make of them; see `soak.py`."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter, defaultdict
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import InvalidTimestampError

DOMAINS: dict[str, dict[str, Any]] = {"movies": {"role": "source"}, "books": {"role": "target"}}


class Partitions(NamedTuple):
    """Partitions of each topic of interactions, and how many of them, the first ones, get events."""

    all: int
    busy: int


USERS = 2_000
CATALOGUE = 20_000
"""Items of all domains together."""
REPEATED, BAD = 0.05, 0.025
"""Shares of events that repeat an earlier `event_id`, and of records that are no events."""
LATE_SECONDS = 1.0
LATEST = 1_000
"""Latest events among which a repeat is chosen."""
WORDS = ("dark", "red", "happy", "sad", "old", "new", "sea", "star", "love", "road", "night", "king", "ghost")


def item_id(number: int) -> tuple[str, str]:
    """Return the domain and id of an item of the catalogue."""
    domain = list(DOMAINS)[number % len(DOMAINS)]
    return domain, f"{domain[0]}{number}"


class Feed(threading.Thread):
    """Sends until `end`. Its counts are complete after that."""

    def __init__(self, bootstrap: str, prefix: str, rate: float, partitions: Partitions) -> None:
        """rate: interactions a second."""
        super().__init__(name="feed", daemon=True)
        self.learned: Counter[tuple[str, str]] = Counter()
        """Events by (user, domain) that must have been learned, without users who left."""
        self.seen: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        """Items by (user, domain)."""
        self.bad: set[bytes] = set()
        """Records that must be dead letters; each is sent once."""
        self.sold_out: set[str] = set()
        self.refused: list[Exception] = []
        """Errors of records that the broker did not take; there must be none."""
        self.acknowledged_late = 0.0
        """When a record was last acknowledged over `LATE_SECONDS` after it was sent (monotonic seconds)."""
        self._left: set[str] = set()
        self._sent = 0
        self._prefix, self.rate, self._busy = prefix, rate, partitions.busy
        self._random = random.Random(0)
        self._latest: list[tuple[str, str, bytes]] = []
        self._brokers = bootstrap
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap, linger_ms=5, acks="all", enable_idempotence=True,
            request_timeout_ms=5_000,  # how long it waits for a broker that hangs
        )  # fmt: skip
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def run(self) -> None:
        begun, sent = time.monotonic(), 0
        while not self._ended.wait(0.02):
            due = int((time.monotonic() - begun) * self.rate)
            with self._lock:
                while sent < due:
                    self._one()
                    sent += 1

    def end(self) -> None:
        """Stop sending; return once everything is in the log."""
        if not self._ended.is_set():
            self._ended.set()
            if self.is_alive():
                self.join()
            self._producer.flush()
            self._producer.close()

    def records(self) -> int:
        """Return the number of records in all partitions of the interactions, without those of transactions."""
        return self._sent

    def users(self) -> list[str]:
        return [f"u{n}" for n in range(USERS)]

    # What happens beside the stream

    def push_catalogue(self) -> None:
        """Send every item again. Sold-out items stay sold out."""
        for number in range(CATALOGUE):
            self._item(number)
        self._producer.flush()

    def sell_out(self, count: int) -> None:
        """Make this many items, the first ones, unavailable."""
        for number in range(count):
            self.sold_out.add(item_id(number)[1])
            self._item(number)
        self._producer.flush()

    def send_far_future(self, count: int) -> None:
        """Send times in microseconds instead of milliseconds: of each event, and of every second record, too.

        Each has a producer of its own, because a refused record ends an idempotent one.
        """
        for n in range(count):
            micros = time.time_ns() // 1000
            domain, item = item_id(n)
            event = {"type": "click", "user_id": f"future{n}", "item_id": item, "timestamp": micros}
            topic, value, key, partition = self._record(domain, f"future{n}", json.dumps(event).encode())
            with KafkaProducer(bootstrap_servers=self._brokers) as producer:
                try:
                    producer.send(
                        topic, value, key, partition=partition, timestamp_ms=micros if n % 2 else None
                    ).get(30)
                except InvalidTimestampError:  # Apache Kafka accepts no record from the future
                    continue
            with self._lock:
                self.bad.add(value)
                self._sent += 1

    def leave(self, count: int) -> list[str]:
        """Choose users who do nothing from now on. Their events are in the log."""
        with self._lock:
            leaving = [f"u{n}" for n in range(count)]
            self._left.update(leaving)
            self._latest = [event for event in self._latest if event[1] not in self._left]
            for place in [place for place in self.learned if place[0] in self._left]:
                del self.learned[place]
                self.seen.pop(place, None)
        self._producer.flush()
        return leaving

    # One record

    def _item(self, number: int) -> None:
        domain, item = item_id(number)
        words = random.Random(number).choices(WORDS, k=4)
        fields: dict[str, Any] = {"item_id": item, "title": f"{' '.join(words)} {number}"}
        if item in self.sold_out:
            fields["available"] = False
        self._producer.send(
            f"items.{self._prefix}.{domain}", key=item.encode(), value=json.dumps(fields).encode()
        )

    def _one(self) -> None:
        draw, rng = self._random.random(), self._random
        if draw < BAD:
            value = b'{"oops": %d' % self._sent
            self.bad.add(value)
            self._send(rng.choice(list(DOMAINS)), "bad", value)
        elif draw < BAD + REPEATED and self._latest:
            self._send(*rng.choice(self._latest))
        else:
            self._event()

    def _event(self) -> None:
        rng = self._random
        user = f"u{int(USERS * rng.random() ** 2)}"
        domain, item = item_id(int(CATALOGUE * rng.random() ** 3))
        if user in self._left:
            return
        event: dict[str, Any] = {
            "type": "click",
            "user_id": user,
            "item_id": item,
            "event_id": f"e{self._sent}",
        }
        if self._sent % 3 == 0:
            event |= {"type": "rating", "value": 1 + self._sent % 5}
        value = json.dumps(event).encode()
        self.learned[user, domain] += 1
        self.seen[user, domain].add(item)
        self._latest = [*self._latest[-LATEST:], (domain, user, value)]
        self._send(domain, user, value)

    def _send(self, domain: str, user: str, value: bytes) -> None:
        self._sent += 1
        topic, value, key, partition = self._record(domain, user, value)
        sending = self._producer.send(topic, value, key, partition=partition)
        sending.add_callback(self._acknowledged, time.monotonic()).add_errback(self.refused.append)

    def _acknowledged(self, sent: float, _: object) -> None:
        if (now := time.monotonic()) - sent > LATE_SECONDS:
            self.acknowledged_late = now

    def _record(self, domain: str, user: str, value: bytes) -> tuple[str, bytes, bytes, int]:
        """Return topic, value, key and partition, one of the busy ones."""
        return f"interactions.{self._prefix}.{domain}", value, user.encode(), sum(user.encode()) % self._busy
