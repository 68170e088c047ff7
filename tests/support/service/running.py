"""Run a `crosscurrent run` process under test: config, start, wait until ready, stop."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from consumers.bench.parts.service_config import write_config
from consumers.bench.parts.service_process import fetch
from consumers.demo.embedded_servers import free_port
from tests.support.service import fork_server

PATIENCE = 90.0


def wait_for(what: Callable[[], Any], seconds: float = PATIENCE, why: str = "") -> Any:
    """Return the first truthy value of `what()`. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := what():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds:.0f} s: {why or what}")


class Running:
    """One process of the real command. `domains` holds the config keys of each domain."""

    def __init__(
        self,
        folder: Path,
        bootstrap: str,
        redis_url: str,
        prefix: str,
        domains: dict[str, dict[str, Any]],
        shards: dict[str, Any] | None = None,
    ) -> None:
        """shards: the keys of `[shards]`, for one of several processes."""
        self.port = free_port()
        self.log = folder / "log"
        tables = {
            "kafka": {
                "bootstrap_servers": [bootstrap],
                "dead_letter_topic": f"{prefix}.dead",
                "canary_topic": f"{prefix}.canary",
                "canary_seconds": 1.0,
                "forget_topic": f"{prefix}.forget",
                "group_id": prefix,
            },
            "redis": {"url": redis_url, "prefix": prefix},
            "metrics": {"port": self.port},
            "checkpoint": {"interval_seconds": 0.5},
        }
        if shards is not None:
            topics_of = {f"{what}_topic": f"{prefix}.{what}" for what in ("facts", "reroute", "model")}
            tables["shards"] = topics_of | shards
        topics = ("interactions", "items")
        with_topics = {
            name: domain | {f"{kind}_topic": f"{kind}.{prefix}.{name}" for kind in topics}
            for name, domain in domains.items()
        }
        self.config = write_config(folder, tables, with_topics)
        self.process: fork_server.Forked | subprocess.Popen[bytes] | None = None
        self.verb = "run"
        self.from_shell = False
        """Whether it starts as a person starts it. Else it starts sooner: see `fork_server`."""

    def command(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run another command of the CLI to its end."""
        line = [sys.executable, "-m", "consumers.cli", *words]
        options = {"timeout": PATIENCE} | options
        return subprocess.run(line, capture_output=True, text=True, check=False, **options)

    def start(self, *words: str) -> None:
        line = [self.verb, "--config", str(self.config), *words]
        if not self.from_shell:
            self.process = fork_server.start(line, self.log)
            return
        command = [sys.executable, "-X", "faulthandler", "-m", "consumers.cli", *line]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def get(self, path: str) -> tuple[int, str]:
        """Return status and text of the answer; if there is no answer, 0 and the reason."""
        return fetch(self.port, path, timeout=2.0)

    def wait_until_ready(self, seconds: float = PATIENCE) -> None:
        def ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()
            return self.get("/readyz")[0] == 200

        self.wait_for(ready, seconds, why="ready")

    def wait_for(self, what: Callable[[], Any], seconds: float = PATIENCE, why: str = "") -> None:
        """Wait like `wait_for`. A failure tells what the service says of itself."""
        try:
            wait_for(what, seconds, why)
        except AssertionError as error:
            counts = [
                line
                for line in self.get("/metrics")[1].splitlines()
                if line.startswith(("crosscurrent_events_total", "crosscurrent_dead", "crosscurrent_lag"))
            ]
            told = "\n".join([str(self.get("/readyz")), *counts, self.log.read_text()[-3000:]])
            raise AssertionError(f"{error}; {told}") from None

    def metric(self, name: str) -> float:
        """Return the sum of one metric over all label sets; 0 if it is not there."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name}{{", f"{name} "))
        )

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and return the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # faulthandler: every thread's stack goes to the log
            self.process.wait(PATIENCE)
            raise AssertionError(f"it does not stop: {self.log.read_text()[-5000:]}") from None

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
