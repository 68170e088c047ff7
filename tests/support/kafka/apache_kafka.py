"""Start Apache Kafka from the jars that CROSSCURRENT_KAFKA_LIBS names; each process is broker and controller."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from consumers.demo.embedded_servers import HOST, EmbeddedError, NotInstalledError, Server
from tests.support.kafka.certificates import Authority
from tests.support.kafka.kafka_properties import PASSWORD, USER, Ports, properties

VARIABLE = "CROSSCURRENT_KAFKA_LIBS"
JAVA = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
"""A small heap, and little compilation, which would pay only after minutes."""
FULL_JAVA = ["-Xmx1g"]
"""Settings for measurements: like a broker in production."""
TRIES = 5


def class_path() -> str:
    """Return where Java finds Kafka. Raises NotInstalledError."""
    libs = os.environ.get(VARIABLE)
    if not libs or not list(Path(libs).glob("kafka-server-*.jar")):
        raise NotInstalledError(
            f"{VARIABLE} names no folder with the jars of Apache Kafka: make kafka says how to get them"
        )
    if shutil.which("java") is None:
        raise NotInstalledError("java is not on PATH: apt-get install openjdk-17-jre-headless")
    return f"{Path(libs).resolve()}/*"


def kafka_tool(name: str, *words: str, text: str | None = None) -> str:
    """Run a tool of Kafka's own and return what it prints. Raises subprocess.CalledProcessError."""
    line = ["java", "-Xmx128m", *JAVA[1:], "-cp", class_path(), name, *words]
    return subprocess.run(line, check=True, text=True, capture_output=True, input=text, timeout=60).stdout


class ApacheBroker(Server):
    """One broker. After `kill`, `start` brings it back with its log."""

    def __init__(
        self,
        folder: Path,
        node: int,
        nodes: dict[int, Ports],
        settings: dict[str, str] | None = None,
        java: Sequence[str] = JAVA,
    ) -> None:
        super().__init__(nodes[node].of["CLIENT"], folder, timeout=180.0)
        self._java = java
        self.name = f"kafka-{node}"
        self.ports, self.number = nodes[node].of, node
        self.file = folder / f"{node}.properties"
        self.file.write_text(properties(folder, node, nodes, settings or {}))

    @property
    def bootstrap(self) -> str:
        """Return the value for `bootstrap_servers`, of the listener that is open to all."""
        return f"{HOST}:{self.port}"

    def format(self, cluster: str) -> None:
        """Prepare the folder of the log."""
        scram = []
        for kind in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            scram += ["--add-scram", f"{kind}=[name={USER},password={PASSWORD}]"]
        kafka_tool("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self.file), *scram)

    def command(self) -> Sequence[str]:
        return ["java", *self._java, "-cp", class_path(), "kafka.Kafka", str(self.file)]

    def answers(self, seconds: float) -> bool:
        """Return whether the broker listens, which it does once it can serve."""
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=seconds):
            return True
        return False

    def kill(self) -> None:
        """End the broker at once, with kill -9."""
        self._kill()

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


class Address(NamedTuple):
    """A running broker: its ports by listener, its process, and the authority of its certificates."""

    ports: dict[str, int]
    pid: int
    authority: Authority

    def at(self, listener: str) -> str:
        """Return the value for `bootstrap_servers`."""
        return f"{HOST}:{self.ports[listener]}"

    @property
    def bootstrap(self) -> str:
        return self.at("CLIENT")


class ApacheKafka:
    """One cluster: its brokers by number, and the authority that signed their certificates."""

    def __init__(
        self,
        folder: Path,
        brokers: int = 1,
        secure: bool = False,
        settings: dict[str, str] | None = None,
        java: Sequence[str] = JAVA,
    ) -> None:
        self.folder = folder
        nodes = {number: Ports.free(secure) for number in range(1, brokers + 1)}
        self.authority = Authority(folder)
        if secure:
            self.authority.make()
        self.brokers = {number: ApacheBroker(folder, number, nodes, settings, java) for number in nodes}

    @property
    def bootstrap(self) -> str:
        return ",".join(broker.bootstrap for broker in self.brokers.values())

    def address(self) -> Address:
        """Return where its only broker listens."""
        (broker,) = self.brokers.values()
        return Address(broker.ports, broker.pid, self.authority)

    def start(self) -> None:
        """Start every broker. Raises EmbeddedError."""
        # An id that begins with a hyphen would be read as an option.
        cluster = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            list(pool.map(lambda broker: broker.format(cluster), self.brokers.values()))
            list(pool.map(ApacheBroker.start, self.brokers.values()))

    def stop(self) -> None:
        for broker in self.brokers.values():
            broker.stop()


def start_kafka(
    folder: Path,
    brokers: int = 1,
    secure: bool = False,
    settings: dict[str, str] | None = None,
    java: Sequence[str] = JAVA,
) -> ApacheKafka:
    """Start a cluster whose files are in `folder`. Raises EmbeddedError."""
    class_path()
    for attempt in range(TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        cluster = ApacheKafka(folder, brokers, secure, settings, java)
        try:
            cluster.start()
            break
        except EmbeddedError:  # another process may have taken one of the free ports
            cluster.stop()
            if attempt == TRIES - 1:
                raise
    return cluster


@contextlib.contextmanager
def started_kafka(folder: Path, **options: Any) -> Iterator[ApacheKafka]:
    """Start a cluster of this test's own, with the options of `start_kafka`; its files are deleted at the end."""
    cluster = start_kafka(folder / "kafka", **options)
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(cluster.folder, ignore_errors=True)
