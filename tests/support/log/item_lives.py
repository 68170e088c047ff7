"""Run a service without a store again and again, on topics of Apache Kafka that are compacted at once."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from kafka import KafkaProducer
from numpy.typing import NDArray

from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.service.pipeline import Pipeline
from consumers.service.wiring import Clocks
from consumers.source.kafka import KafkaSource
from consumers.source.options import SourceOptions
from models.text.encoder import HashingEncoder
from serving.pseudonyms import Pseudonyms
from tests.support.doubles import SyncEncoding
from tests.support.learners.checkpointers import always_due
from tests.support.log.compaction import CompactedTopic, Entry
from tests.support.service.pipelines import list_pipeline
from tests.support.service.running import wait_for

FILLER = "filler"
"""An item, and a user, that no test asks for."""


def item(name: str) -> Entry:
    value = {"item_id": name, "title": f"Title of {name}"}
    return name.encode(), json.dumps(value).encode()


def request(user: str) -> Entry:
    """Return a request to forget a user, with the present time."""
    ids = Pseudonyms()
    value = {"timestamp": int(time.time() * 1000), "key": ids.fingerprint}
    return ids.mark(user).encode(), json.dumps(value).encode()


class ItemLives:
    """One domain, its topics, and a checkpoint directory. The topic of items is compacted as `settings` say."""

    def __init__(self, folder: Path, bootstrap: str, prefix: str, **settings: str) -> None:
        self.folder, self.bootstrap = folder / "checkpoints", bootstrap
        self.encoded: list[str] = []
        self.items = CompactedTopic(bootstrap, f"items.{prefix}", item(FILLER), **settings)
        self.requests = CompactedTopic(
            bootstrap, f"forget.{prefix}", request(FILLER), delete_retention_ms="86400000"
        )
        self.interactions = CompactedTopic(
            bootstrap, f"interactions.{prefix}", (b"", b""), cleanup_policy="delete", segment_ms="600000"
        ).topic
        self.settings: Settings = build(
            {
                "kafka": {
                    "bootstrap_servers": [bootstrap],
                    "group_id": prefix,
                    "forget_topic": self.requests.topic,
                    "canary_topic": "",
                },
                "intake": {"batch_events": 8, "batch_ms": 20},
                "domains": {
                    "movies": {"items_topic": self.items.topic, "interactions_topic": self.interactions}
                },
            }
        )

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Encode as every service does by default, and remember the texts."""
        self.encoded += texts
        return HashingEncoder().encode(texts)

    def rate(self, user: str, *items: str) -> None:
        with KafkaProducer(bootstrap_servers=self.bootstrap) as producer:
            for name in items:
                event = {"type": "rating", "user_id": user, "item_id": name, "value": 4}
                producer.send(self.interactions, json.dumps(event).encode(), user.encode())
            producer.flush()

    @contextlib.contextmanager
    def life(self, **options: Any) -> Iterator[Pipeline]:
        """Start a pipeline and yield it. It ends as by kill -9 without `finish`. A checkpoint is always due."""
        checkpointer = always_due(self.folder)
        source = KafkaSource(self.settings.kafka, self.settings.topics(), SourceOptions(**options))
        encoding = SyncEncoding(self)
        pipeline = list_pipeline(self.settings, source, None, checkpointer, encoding, Clocks())
        try:
            pipeline.restore()
            yield pipeline
        finally:
            checkpointer.poll(wait=True)
            checkpointer.close()
            source.close()

    def live(self, **options: Any) -> Pipeline:
        """Run until everything is learned, and stop in order."""
        with self.life(**options) as pipeline:
            run_until(pipeline, lambda: caught_up(pipeline), "all is learned")
            pipeline.finish()
        return pipeline


def run_until(pipeline: Pipeline, what: Callable[[], bool], why: str) -> None:
    def turn() -> bool:
        pipeline.step()
        return what()

    wait_for(turn, 60, why)


def caught_up(pipeline: Pipeline) -> bool:
    return pipeline.caught_up and pipeline.source.items_read() and not len(pipeline.batcher)


def listed(pipeline: Pipeline) -> set[str]:
    """Return the items that may be recommended."""
    (best,) = pipeline.arms.recommend([None], "movies", 1000)
    return {one.item_id for one in best} - {FILLER}
