"""Share one Apache Kafka among all processes of a test session: the first starts it, the last one ends it.

A process that uses it holds a shared lock on a file. A guard waits for the exclusive lock, and then ends the broker.
The system frees a lock when its process ends, for any reason, so no broker is left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from consumers.demo.embedded_servers import HOST
from tests.support.kafka.apache_kafka import Address, start_kafka
from tests.support.kafka.certificates import Authority

GUARD = 'flock --exclusive "$1" true; kill -9 -"$2"; rm -rf "$3"'


@contextlib.contextmanager
def shared_kafka(folder: Path) -> Iterator[Address]:
    """Use the broker whose files are in `folder`. Raises EmbeddedError."""
    folder.mkdir(exist_ok=True)
    with (folder / "start.lock").open("w") as gate, (folder / "users.lock").open("w") as users:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)  # a guard that has just ended the broker is waited for
        if (running := _running(folder)) is None:
            running = _started(folder)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield running


def _running(folder: Path) -> Address | None:
    with contextlib.suppress(FileNotFoundError):
        told = json.loads((folder / "address.json").read_text())
        found = Address(told["ports"], told["pid"], Authority(folder / "kafka"))
        with contextlib.suppress(OSError), socket.create_connection((HOST, found.ports["CLIENT"]), timeout=5):
            return found
    return None


def _started(folder: Path) -> Address:
    home = folder / "kafka"
    cluster = start_kafka(home, secure=True)
    (broker,) = cluster.brokers.values()
    address = cluster.address()
    broker.detach()
    line = ["/bin/sh", "-c", GUARD, "sh", str(folder / "users.lock"), str(address.pid), str(home)]
    subprocess.Popen(
        line, stdin=subprocess.DEVNULL, start_new_session=True
    ).returncode = 0  # it outlives this process
    (folder / "address.json").write_text(json.dumps({"ports": address.ports, "pid": address.pid}))
    return address
