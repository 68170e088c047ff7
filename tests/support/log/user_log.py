"""A log whose interactions lie in the partition of their user, and pipelines that read it as shards."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.events.record import Record
from consumers.service.pipeline import Pipeline
from consumers.service.saving.checkpointer import Checkpointer
from consumers.service.wiring import Ends, wired
from consumers.sharing.layout import load_layout, partition_of
from consumers.sharing.shard import ShardEnds
from models.text.encoder import HashingEncoder
from serving.metrics import Metrics
from serving.shard_metrics import ShardMetrics
from tests.support.clock import Clock
from tests.support.doubles import ListSink, ListSource, SyncEncoding
from tests.support.log.memory_facts import MemoryFacts
from tests.support.service.pipelines import clocks_of

PARTITIONS = 8
START = 1_700_000_000_000
DOMAINS = {"movies": {}, "books": {"role": "target"}}
INTERACTIONS = tuple(f"interactions.{name}" for name in DOMAINS)


def settings_of(directory: Path, **tables: Any) -> Settings:
    """Return the config of shards whose checkpoint directory this is."""
    return build(
        {
            "domains": DOMAINS,
            "kafka": {"forget_topic": "forget"},
            "intake": {"batch_events": 16, "network_events": 48, "dedup_events": 300},
            "learner": {"users": 64, "items_per_domain": 64},
            "checkpoint": {"directory": str(directory)},
        }
        | tables
    )


def user_log(count: int, name: Callable[[int], str] = "u{}".format, users: int = 40) -> list[Record]:
    """Return items, then clicks and ratings. name: returns the id of the n-th user.

    The partition is that of `u<n>`, whatever the id. One event in fifteen comes twice.
    """
    rng, ends, records = random.Random(4), Counter[tuple[str, int]](), list[Record]()

    def add(topic: str, partition: int, key: str, value: Any) -> None:
        offset = ends[topic, partition]
        ends[topic, partition] += 1
        data = json.dumps(value).encode()
        records.append(Record(topic, partition, offset, START + 20_000 * len(records), key.encode(), data))

    for domain in DOMAINS:
        for n in range(30):
            title = f"{domain} tale {n % 7} {n}"
            add(f"items.{domain}", 0, f"{domain[0]}{n}", {"item_id": f"{domain[0]}{n}", "title": title})
    for n in range(count):
        number, domain = rng.randrange(users), rng.choice(list(DOMAINS))
        event: dict[str, Any] = {
            "type": "rating" if rng.random() < 0.6 else "click",
            "user_id": name(number),
            "item_id": f"{domain[0]}{int(rng.paretovariate(0.8)) % 40}",
            "event_id": f"e{n}",
        }
        if event["type"] == "rating":
            event["value"] = rng.randint(1, 5)
        for _ in range(2 if rng.random() < 1 / 15 else 1):
            place = partition_of(f"u{number}", PARTITIONS)
            add(f"interactions.{domain}", place, name(number), event)
    return records


def counts_of(records: list[Record]) -> Counter[tuple[str, str]]:
    """Return the number of events by user and domain, each event once."""
    seen: set[str] = set()
    found: Counter[tuple[str, str]] = Counter()
    for record in records:
        if record.topic in INTERACTIONS and record.value is not None:
            event = json.loads(record.value)
            if event["event_id"] not in seen:
                seen.add(event["event_id"])
                found[event["user_id"], record.topic.removeprefix("interactions.")] += 1
    return found


def shards_of(
    root: Path, records: list[Record], facts: list[bytes] | None = None
) -> list[tuple[Pipeline, ListSource]]:
    """Return a restored pipeline for each shard in this checkpoint directory. Each reads its own partitions.

    facts: the topic of facts, with those of earlier shards.
    """
    facts = [] if facts is None else facts
    layout = load_layout(root)
    count = 1 if layout is None else layout.count
    made = []
    for index in range(count):
        mine = [r for r in records if r.topic not in INTERACTIONS or r.partition % count == index]
        source = ListSource(mine)
        folder = root if layout is None else layout.shard(root, index)
        checkpointer = Checkpointer(folder, 3600.0, lambda *_: None)
        clocks = clocks_of(map(float, itertools.count()).__next__)  # no batch waits to become full
        settings, shard = settings_of(root, shards={"count": count, "index": index}), None
        if count > 1:
            metrics = ShardMetrics(CollectorRegistry())
            shard = ShardEnds(MemoryFacts(facts, Clock()), ListSink(), PARTITIONS, metrics)
        ends = Ends(
            source, ListSink(), SyncEncoding(HashingEncoder()), checkpointer=checkpointer, shard=shard
        )
        pipeline = wired(settings, ends, Metrics(), clocks)
        pipeline.restore()
        made.append((pipeline, source))
    return made


def learn_and_stop(shards: list[tuple[Pipeline, ListSource]]) -> Counter[tuple[str, str]]:
    """Let all shards read their log to its end, save and stop. Return the events by user and domain."""
    found: Counter[tuple[str, str]] = Counter()
    for pipeline, source in shards:
        while not source.exhausted or len(pipeline.batcher):
            pipeline.step()
        for user in pipeline.arms.full.users:
            for domain, events in pipeline.arms.full.events_of(user).items():
                if events:
                    assert (user, domain) not in found, f"{user} is in two shards"
                    found[user, domain] = events
        stop(pipeline)
    return found


def stop(pipeline: Pipeline) -> None:
    """Save and close."""
    pipeline.finish()
    assert pipeline.checkpointer is not None
    pipeline.checkpointer.close()
