"""Record one log with everything that a log may hold, and make a pipeline to learn it."""

from __future__ import annotations

import json
import random
from typing import Any

import torch

from consumers.config.loader import build
from consumers.events.record import Record
from consumers.service.pipeline import Pipeline
from consumers.service.saving.checkpointer import Checkpointer
from serving.pseudonyms import Pseudonyms
from tests.support.clock import Clock
from tests.support.doubles import ListSink, ListSource
from tests.support.service.pipelines import clocks_of, list_pipeline

torch.set_num_threads(1)  # the laws hold for one thread

BATCH = 16
START = 1_700_000_000_000
SETTINGS = build(
    {
        "domains": {"movies": {}, "books": {"role": "target"}},
        "kafka": {"forget_topic": "forget"},
        "intake": {"batch_events": BATCH, "network_events": 2 * BATCH, "dedup_events": 50},
        "learner": {"users": 64, "items_per_domain": 64},
    }
)


def log() -> list[Record]:
    """Return items, ratings, clicks, duplicates, tombstones and poison over several partitions, interleaved."""
    rng, ends, records = random.Random(0), dict[tuple[str, int], int](), list[Record]()

    def add(topic: str, key: str, value: Any) -> None:
        place = (topic, rng.randrange(2) if topic.startswith("inter") else 0)
        ends[place] = offset = ends.get(place, -1) + 1 + (rng.random() < 0.05)  # some offsets are missing
        data = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
        records.append(Record(*place, offset, START + 1000 * len(records), key.encode(), data))

    words = ["dark", "red", "happy", "sad", "old", "new", "sea", "star"]
    for n in range(270):
        if n in (130, 190, 191):
            request = {"timestamp": START + 1000 * len(records)}
            for user in (f"u{k}" for k in range(n % 10, 80, 7)):
                add("forget", Pseudonyms().mark(user), request)
        domain, roll = rng.choice(["movies", "books"]), rng.random()
        user, item = f"u{rng.randrange(80)}", f"{domain[0]}{int(rng.paretovariate(0.7)) % 70}"
        if n < 90 or roll < 0.08:
            item = f"{domain[0]}{n % 70}"
            title = f"{rng.choice(words)} {rng.choice(words)} {n}"
            fields = {"item_id": item, "title": title, "available": rng.random() < 0.95}
            add(f"items.{domain}", item, fields)
        elif roll < 0.11:
            add(f"items.{domain}", item, None)
        elif roll < 0.15:
            add(f"interactions.{domain}", user, rng.choice([b"{", b"\xff", None]))
        else:
            event = {"type": "click", "user_id": user, "item_id": item, "event_id": str(rng.randrange(100))}
            if rng.random() < 0.2:
                event["timestamp"] = START + 1000 * rng.randrange(len(records))  # late
            if roll < 0.7:
                event |= {
                    "type": "rating",
                    "value": rng.randint(1, 5),
                    "context": {"device": rng.choice("ab")},
                }
            add(f"interactions.{domain}", user, event)
    return records


LOG = log()


def pipeline(
    source: ListSource,
    sink: ListSink | None = None,
    checkpointer: Checkpointer | None = None,
    clock: Clock | None = None,
) -> Pipeline:
    """Return a pipeline that learns `LOG`."""
    return list_pipeline(SETTINGS, source, sink, checkpointer, clocks=clocks_of(clock or Clock()))


def run_out(running: Pipeline, source: ListSource) -> None:
    """Step until the log is read and fewer records than a batch are left."""
    while not source.exhausted or len(running.batcher) >= BATCH:
        running.step()
