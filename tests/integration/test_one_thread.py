"""The log is one thread's: what health, metrics and the demo's view show of it are values that this thread left."""

from __future__ import annotations

import io
import json
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from rich.console import Console

from consumers.config.loader import build
from consumers.connections import connect_source, connect_store
from consumers.demo.live_view import View
from consumers.service.service import Service
from tests.support.running import wait_for


class Watched:
    """A source that remembers which threads called it."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self.threads: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._source, name)
        if not callable(found):
            return found

        def call(*arguments: Any) -> Any:
            self.threads.add(threading.current_thread().name)
            return found(*arguments)

        return call


@pytest.mark.parametrize("redis_url", ["valkey"], indirect=True)
def test_only_the_loop_asks_the_log(
    bootstrap: str, redis_url: str, topic_prefix: str, tmp_path: Path
) -> None:
    """While /readyz and /metrics are read, a view is drawn and canaries are sent, until lag is seen and gone."""
    domain = {"interactions_topic": f"{topic_prefix}.i", "items_topic": f"{topic_prefix}.t"}
    settings = build(
        {
            "kafka": {
                "bootstrap_servers": [bootstrap], "group_id": topic_prefix, "forget_topic": f"{topic_prefix}.f",
                "dead_letter_topic": f"{topic_prefix}.d", "canary_topic": f"{topic_prefix}.c",
                "canary_seconds": 0.1,
            },
            "redis": {"url": redis_url, "prefix": topic_prefix},
            "metrics": {"port": 0},
            "checkpoint": {"directory": str(tmp_path)},
            "learner": {"users": 64, "items_per_domain": 64},
            "domains": {"movies": domain},
        }
    )  # fmt: skip
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        topics = [*domain.values(), settings.kafka.dead_letter_topic]
        made = {name: {"num_partitions": 1, "replication_factor": 1} for name in topics}
        admin.create_topics(made, wait_for_metadata=True)
    with KafkaProducer(bootstrap_servers=bootstrap) as producer:
        for n in range(200):
            event = {"type": "click", "user_id": f"u{n % 20}", "item_id": f"i{n % 30}"}
            producer.send(domain["interactions_topic"], json.dumps(event).encode(), b"k")
    source = Watched(connect_source(settings))
    service = Service(settings, source, connect_store(settings))  # type: ignore[arg-type]
    view = View(service, Console(file=io.StringIO()))
    loop = threading.Thread(target=service.run, args=[False], name="loop")
    loop.start()
    try:
        wait_for(lambda: service.health)

        def get(path: str) -> int:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{service.health.port}{path}") as answer:  # type: ignore[union-attr]
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code

        def looked() -> bool:
            view.refresh()
            assert get("/metrics") == 200
            status = get("/readyz")
            assert status in {200, 503}
            return status == 200 and bool(service.pipeline.reporter.lag.records)

        wait_for(looked)
        wait_for(lambda: service.metrics.registry.get_sample_value("crosscurrent_canary_seconds_count"))
        assert service.pipeline.totals["learned"] == 200
        assert source.threads == {"loop"}
    finally:
        service.stopping = True
        loop.join()
