"""Run a `crosscurrent run` process between a broker and a store, and read its metrics."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from prometheus_client.parser import text_string_to_metric_families

from consumers.bench.parts.service_config import write_config
from consumers.bench.parts.task import Task
from consumers.bench.parts.topics import Topics
from consumers.demo.embedded_servers import free_port
from models.schema import Domain

START_SECONDS, STOP_SECONDS = 120.0, 60.0
EVENTS, CPU = "crosscurrent_events_total", "process_cpu_seconds_total"
"""Names of metrics: events learned, and CPU seconds, since the process started."""
HOST = "127.0.0.1"


class Metrics(dict[str, float]):
    """Values by name, summed over labels, and by one label's value, as in `crosscurrent_published_total{kind=rec}`."""

    def __missing__(self, name: str) -> float:
        return 0.0

    def buckets(self, name: str) -> dict[float, float]:
        """Return the cumulative counts of a histogram by upper bound, in ascending order."""
        head = f"crosscurrent_{name}_bucket{{le="
        found = {float(key[len(head) : -1]): n for key, n in self.items() if key.startswith(head)}
        return dict(sorted(found.items()))


class Role(NamedTuple):
    """What a process is: its command, its place among several (None for the network's process), their number."""

    command: str = "run"
    shard: int | None = None
    shards: int = 1


ALONE = Role()


class ServiceProcess:
    """Runs the service within a context, with a config in `folder`. Raises RuntimeError at a failure.

    task: `bootstrap`, `prefix`, `url`, `format` and `registry` say where it runs and how it reads.
    """

    def __init__(self, folder: Path, task: Task, domains: Sequence[Domain], role: Role = ALONE) -> None:
        folder.mkdir(exist_ok=True)
        self._port, self._role = free_port(), role
        self._log = folder / "service.log"
        topics = Topics(task.prefix)
        tables: dict[str, dict[str, object]] = {
            "kafka": {"bootstrap_servers": [task.bootstrap], **topics.config()},
            "redis": {"url": task.url},
            "metrics": {"port": self._port},
        }
        if role.shards > 1:
            place = {} if role.shard is None else {"index": role.shard}
            tables["shards"] = {"count": role.shards, **place, **topics.of_shards()}
        kinds: dict[str, dict[str, object]] = {}
        for domain in domains:
            kinds[domain.name] = {
                "role": domain.role,
                "rating_range": list(domain.rating_range),
                "interactions_topic": topics.of("interactions", domain.name),
                "items_topic": topics.of("items", domain.name),
            }
            if task.format != "json":
                kinds[f"{domain.name}.interactions"] = {"format": task.format}
        if task.registry:
            tables["schema_registry"] = {"url": task.registry}
        self.config = write_config(folder, tables, kinds)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        words = ["-m", "consumers.cli", self._role.command, "--config", str(self.config)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen([sys.executable, *words], stdout=log, stderr=log)  # noqa: S603
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM if error is None else signal.SIGKILL)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def metrics(self) -> Metrics:
        """Return the present metrics, once the service answers. Raises RuntimeError if it does not."""
        deadline = time.monotonic() + START_SECONDS
        while (answer := self._get("/metrics"))[0] != 200:
            self.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"no metrics within {START_SECONDS:.0f} s")
            time.sleep(0.1)
        found = Metrics()
        for family in text_string_to_metric_families(answer[1]):
            for sample in family.samples:
                found[sample.name] += sample.value
                for label, value in sample.labels.items():
                    found[f"{sample.name}{{{label}={value}}}"] += sample.value
        return found

    def wait_until_ready(self) -> None:
        """Return once the service has learned what was in the log at its start."""
        deadline = time.monotonic() + START_SECONDS
        while self._get("/readyz")[0] != 200:
            self.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"not ready within {START_SECONDS:.0f} s: {self._get('/readyz')[1]}")
            time.sleep(0.1)

    def check(self) -> None:
        """Raise RuntimeError, with the end of the log, if the service has ended."""
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"the service ended: {self._log.read_text()[-2000:]}")

    def _get(self, path: str) -> tuple[int, str]:
        return fetch(self._port, path)


def fetch(port: int, path: str, timeout: float = 10.0) -> tuple[int, str]:
    """Return status and text of the service's answer; if there is no answer, 0 and the reason."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)
