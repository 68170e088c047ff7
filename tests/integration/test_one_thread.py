"""Only one thread uses the log. Health, metrics and the demo's view show values that this thread has stored."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from rich.console import Console

from consumers.bench.parts.service_process import fetch
from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.connections import connect_source, connect_store
from consumers.demo.live_view import View
from consumers.service.service import Service
from tests.support.service.running import wait_for


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


def settings_of(bootstrap: str, redis_url: str, prefix: str, folder: Path) -> Settings:
    """Return a config whose topics and keys have this prefix."""
    domain = {"interactions_topic": f"{prefix}.i", "items_topic": f"{prefix}.t"}
    return build(
        {
            "kafka": {
                "bootstrap_servers": [bootstrap], "group_id": prefix, "forget_topic": f"{prefix}.f",
                "dead_letter_topic": f"{prefix}.d", "canary_topic": f"{prefix}.c",
                "canary_seconds": 0.1,
            },
            "redis": {"url": redis_url, "prefix": prefix},
            "metrics": {"port": 0},
            "checkpoint": {"directory": str(folder)},
            "learner": {"users": 64, "items_per_domain": 64},
            "domains": {"movies": domain},
        }
    )  # fmt: skip


@pytest.mark.parametrize("redis_url", ["valkey"], indirect=True)
def test_only_the_loop_asks_the_log(
    bootstrap: str, redis_url: str, topic_prefix: str, tmp_path: Path
) -> None:
    """Only one thread calls the source, while pages are read, a view is drawn and canaries are sent."""
    settings = settings_of(bootstrap, redis_url, topic_prefix, tmp_path)
    domain = settings.domains["movies"]
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        topics = [domain.interactions_topic, domain.items_topic, settings.kafka.dead_letter_topic]
        made = {name: {"num_partitions": 1, "replication_factor": 1} for name in topics}
        admin.create_topics(made, wait_for_metadata=True)
    with KafkaProducer(bootstrap_servers=bootstrap) as producer:
        for n in range(200):
            event = {"type": "click", "user_id": f"u{n % 20}", "item_id": f"i{n % 30}"}
            producer.send(domain.interactions_topic, json.dumps(event).encode(), b"k")
    source = Watched(connect_source(settings))
    service = Service(settings, source, connect_store(settings))  # type: ignore[arg-type]
    view = View(service, Console(file=io.StringIO()))
    loop = threading.Thread(target=service.run, args=[False], name="loop")
    loop.start()
    try:
        port = wait_for(lambda: service.health).port

        def looked() -> bool:
            view.refresh()
            assert fetch(port, "/metrics")[0] == 200
            status = fetch(port, "/readyz")[0]
            assert status in {200, 503}
            return status == 200 and bool(service.pipeline.reporter.lag.records)

        wait_for(looked)
        wait_for(lambda: service.metrics.registry.get_sample_value("crosscurrent_canary_seconds_count"))
        assert service.pipeline.totals["learned"] == 200
        assert source.threads == {"loop"}
    finally:
        service.stopping = True
        loop.join()
