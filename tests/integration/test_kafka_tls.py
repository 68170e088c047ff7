"""Kafka over TLS: check, produce and run with the broker's certificate, and one clear line without it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from kafka import KafkaProducer

from consumers.embedded import NotInstalledError, Server
from tests.integration.running import Running, wait_for
from tests.integration.secure_broker import SecureBroker
from tests.integration.test_end_to_end import DOMAINS


def test_a_broker_behind_tls(
    tmp_path: Path,
    redis_store: Server,
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    missing: Callable[[object], NoReturn],
) -> None:
    """Events come in over TLS and are learned; with no or another trust, exit 2 says what cannot be reached."""
    try:
        broker = SecureBroker(tmp_path).start()
    except NotInstalledError as error:
        missing(error)
    try:
        service = Running(tmp_path, broker.bootstrap, redis_store.url, topic_prefix, DOMAINS)
        config = str(service.config)
        monkeypatch.setenv("CROSSCURRENT_KAFKA__SECURITY_PROTOCOL", "SSL")
        untrusted = service.command("check", "-c", config)
        assert untrusted.returncode == 2
        assert "FAIL broker" in untrusted.stdout
        assert "Traceback" not in untrusted.stdout + untrusted.stderr
        monkeypatch.setenv("CROSSCURRENT_KAFKA__SSL_CAFILE", str(broker.cert))
        checked = service.command("check", "-c", config, "--create-topics")
        assert checked.returncode == 0, checked.stdout
        with KafkaProducer(**broker.client()) as producer:
            for n in range(20):
                event = {"type": "rating", "user_id": f"u{n % 3}", "item_id": f"b{n}", "value": 4}
                producer.send(
                    f"interactions.{topic_prefix}.books",
                    key=f"u{n % 3}".encode(),
                    value=json.dumps(event).encode(),
                )
            producer.flush()
        service.start()
        try:
            service.wait_until_ready()
            wait_for(lambda: service.metric("crosscurrent_events_total") == 20, why="20 events learned")
            assert service.stop() == 0
        finally:
            service.kill()
        monkeypatch.setenv("CROSSCURRENT_KAFKA__SECURITY_PROTOCOL", "PLAINTEXT")
        plain = service.command("run", "-c", config)
        assert plain.returncode == 2
        assert "cannot be reached" in plain.stderr
        assert len(plain.stderr.strip().splitlines()) == 1
    finally:
        broker.stop()
