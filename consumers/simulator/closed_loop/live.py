"""Let simulated users look at the lists of a running service: the store's lists in, impressions and clicks to Kafka."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError

from consumers.config.schema import Settings
from consumers.datasets.record import Sent
from consumers.errors import Stop
from consumers.kafka_client.client import client_options
from consumers.kafka_client.problems.diagnostics import why_unreachable
from consumers.kafka_client.producer import make_producer
from consumers.kafka_client.topics import create_topics
from consumers.replay.delivery import send
from consumers.simulator.closed_loop.loop import ListShown, first_items, run
from consumers.simulator.closed_loop.records import Look
from consumers.simulator.closed_loop.settings import LIST, LoopSettings
from consumers.simulator.closed_loop.world import Ints, World
from consumers.simulator.event_stream import user_id
from consumers.simulator.output import stop_if_lacking
from consumers.terminal import log, progress
from serving.client import Reader, UnknownDomain, Unreachable

PATIENCE_SECONDS = 120.0
"""How long the first lists may take, until the service has read the items."""
RATE = 50.0
"""Impressions a second, unless another number is asked for: the lists are new again before a user comes back."""


class LiveOptions(msgspec.Struct, frozen=True):
    """How a service is driven. rate: impressions a second."""

    world: LoopSettings
    rate: float = RATE
    create_topics: bool = False
    patience: float = PATIENCE_SECONDS


def drive(options: LiveOptions, settings: Settings) -> dict[str, Any]:
    """Send the items, wait for the first lists, let the users look, and return what happened. Raises Stop."""
    try:
        world = World(options.world)
    except ValueError as error:
        raise Stop(f"this world is impossible: {error}") from error
    stop_if_lacking(settings, world.domains)
    key = settings.privacy.key if settings.privacy.pseudonyms else None
    try:
        reader = Reader(settings.redis.url, settings.redis.prefix, key=key, **settings.redis.client())
        with reader:
            if options.create_topics:
                create_topics(client_options(settings.kafka), settings.topic_kinds())
            with make_producer(client_options(settings.kafka), live=True) as producer:
                return _drive(world, options, _Live(settings, producer, reader, options.rate))
    except Unreachable as error:
        raise Stop(f"{error}. Start it, or set redis.url (CROSSCURRENT_REDIS__URL).") from error
    except KafkaError as error:
        raise Stop(why_unreachable(settings.kafka, error)) from error


def _drive(world: World, options: LiveOptions, service: _Live) -> dict[str, Any]:
    begun = time.time()
    service.put(first_items(world))
    service.wait_for_lists(world.domains, options.patience)
    counts = Counts(world)
    with progress.bars(log.console(stderr=True)) as bars:
        task = bars.add_task("looking", total=world.settings.end, unit="lists")
        prefix = f"{options.world.seed}-{int(begun * 1000):x}-"  # a second run has other event ids
        service.pace()
        times = range(world.settings.end)
        run(world, service, times, counts, prefix, lambda done: bars.update(task, completed=done))
    return counts.figures() | {"items": service.items, "seconds": round(time.time() - begun, 1)}


class _Live:
    """A running service, as a `Service`. Times are those of the clock."""

    def __init__(self, settings: Settings, producer: KafkaProducer, reader: Reader, rate: float) -> None:
        self._topic_of, self._producer, self._reader = settings.topic_of, producer, reader
        self._rate, self._since, self.items = rate, time.monotonic(), 0

    def now_ms(self, time_: int) -> int:
        """Return the present time, Unix time in ms."""
        return int(time.time() * 1000)

    def put(self, items: Sequence[Sent]) -> None:
        """Send new items."""
        self.items += len(items)
        self.take(items)

    def take(self, records: Sequence[Sent]) -> None:
        """Send records, and wait until the broker has them. Raises Stop."""
        send(records, self._producer, self._topic_of)

    def pace(self) -> None:
        """Let the first impression be now."""
        self._since = time.monotonic()

    def lists(self, domain: str, users: Sequence[str], time_: int) -> list[ListShown]:
        """Read the list of each user, not before the impression number `time_` is due. Raises Unreachable."""
        if (ahead := self._since + time_ / self._rate - time.monotonic()) > 0:
            time.sleep(ahead)
        found = self._reader.recommend_many(users, domain, LIST)
        return [
            ListShown([item.id for item in found[user].items], found[user].published_ts or 0)
            for user in users
        ]

    def wait_for_lists(self, domains: Sequence[str], patience: float) -> None:
        """Wait until every domain has a list for new users. Raises Stop."""
        until = time.monotonic() + patience
        for domain in domains:
            while not self._has_list(domain):
                if time.monotonic() > until:
                    raise Stop(
                        f"the store has no list of {domain} after {patience:.0f} s: is crosscurrent run running with "
                        "this config?"
                    )
                time.sleep(0.1)

    def _has_list(self, domain: str) -> bool:
        try:
            return bool(self._reader.recommend(user_id(0), domain, 1).items)
        except UnknownDomain:
            return False


class Counts:
    """Counts what the users of a service see and do. A `Watcher`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.looks = self.clicks = self.empty = self.new_shows = 0
        self._regret = self._age_ms = 0.0

    def before(self, time: int, user: int, domain: int, rows: Ints) -> None:
        """Note a list that its user is about to see."""
        self.empty += not len(rows)
        self._regret += self._world.regret(user, domain, rows, time)

    def after(self, look: Look) -> None:
        """Note what the user did."""
        self.looks += 1
        self.clicks += int(look.clicked.sum())
        self.new_shows += int((self._world.items[look.domain].born[look.rows] >= 0).sum())
        self._age_ms += look.at_ms - look.list_ts

    def figures(self) -> dict[str, Any]:
        """Return the counts. new_share: of the shows, those of items that arrived during the run."""
        looks = max(1, self.looks)
        return {
            "world": self._world.settings.name,
            "seed": self._world.settings.seed,
            "impressions": self.looks,
            "empty_lists": self.empty,
            "clicks": self.clicks,
            "clicks_per_impression": self.clicks / looks,
            "regret_per_impression": self._regret / max(1, self.looks + self.empty),
            "new_share": self.new_shows / (LIST * looks),
            "list_age_seconds": self._age_ms / looks / 1000,
        }
