"""Clients of Kafka that find no broker leave no thread and no file behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

from consumers.demo.embedded_servers import HOST
from tests.support.kafka.apache_kafka import Address

SCRIPT = """
import contextlib, gc, sys, threading
from pathlib import Path
import kafka
from kafka.errors import KafkaTimeoutError
from consumers.config.schema import KafkaConfig
from consumers.kafka_client.client import client_options
from consumers.kafka_client.problems.diagnostics import why_unreachable

name, bootstrap, patience = sys.argv[1:]
config = KafkaConfig([bootstrap])

def left():
    try:
        getattr(kafka, name)(**client_options(config) | {"bootstrap_timeout_ms": int(patience)}).close()
        outcome = "connected"
    except KafkaTimeoutError as error:
        why_unreachable(config, error)
        outcome = "refused"
    gc.collect()
    return outcome, threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

first = left()
assert {left() for _ in range(3)} == {first}, "threads or files are left"
print(*first)
"""
"""A process of its own: captured logs hold errors, and those hold sockets."""
CLIENTS = pytest.mark.parametrize("client", ["KafkaAdminClient", "KafkaConsumer", "KafkaProducer"])


def outcome(client: str, bootstrap: str, patience_ms: int) -> str:
    """Make and close a client four times. Return the errors, and the threads that are left."""
    line = [sys.executable, "-c", SCRIPT, client, bootstrap, str(patience_ms)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split()[:2])


@CLIENTS
def test_no_thread_and_no_file_is_left_of_one_that_found_nobody(client: str) -> None:
    """A service whose broker is away for a day tries ten thousand times."""
    assert outcome(client, f"{HOST}:1", 300) == "refused 1"


@CLIENTS
def test_nor_of_one_that_was_connected(client: str, apache: Address) -> None:
    """The thread of a client that was connected has ended."""
    assert outcome(client, apache.bootstrap, 30_000) == "connected 1"
