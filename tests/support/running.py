"""A `crosscurrent run` process under test: config, start, wait until ready, stop."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from consumers.demo.embedded_servers import free_port

PATIENCE = 90.0


def wait_for(what: Callable[[], Any], seconds: float = PATIENCE, why: str = "") -> Any:
    """The first truthy value of `what()`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := what():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds:.0f} s: {why or what}")


class Running:
    """One process of the real command. `topics` maps (kind, domain) to topic names."""

    def __init__(
        self, folder: Path, bootstrap: str, redis_url: str, prefix: str, domains: dict[str, dict[str, Any]]
    ) -> None:
        self.port = free_port()
        self.config = folder / "config.toml"
        self.log = folder / "log"
        lines = [
            f'[kafka]\nbootstrap_servers = ["{bootstrap}"]\ndead_letter_topic = "{prefix}.dead"',
            f'canary_topic = "{prefix}.canary"\ncanary_seconds = 1.0',
            f'forget_topic = "{prefix}.forget"',
            f'group_id = "{prefix}"\n[redis]\nurl = "{redis_url}"\nprefix = "{prefix}"',
            f'[metrics]\nport = {self.port}\n[checkpoint]\ndirectory = "{folder / "checkpoints"}"',
            "interval_seconds = 0.5",
        ]
        for name, domain in domains.items():
            lines.append(f"[domains.{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in domain.items()]
            lines.append(f'interactions_topic = "interactions.{prefix}.{name}"')
            lines.append(f'items_topic = "items.{prefix}.{name}"')
        self.config.write_text("\n".join(lines))
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs another command of the CLI to its end."""
        line = [sys.executable, "-m", "consumers.cli", *words]
        return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=False, **options)

    def start(self, *words: str) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-X",
                    "faulthandler",
                    "-m",
                    "consumers.cli",
                    "run",
                    "--config",
                    str(self.config),
                    *words,
                ],
                stdout=log,
                stderr=log,
            )

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def wait_until_ready(self, seconds: float = PATIENCE) -> None:
        def ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()
            return self.get("/readyz")[0] == 200

        try:
            wait_for(ready, seconds, why="ready")
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.get('/readyz')}; {self.log.read_text()[-2000:]}") from None

    def metric(self, name: str) -> float:
        """Sum over all label sets of one metric, 0 if it is not there."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name}{{", f"{name} "))
        )

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends the signal and gives the exit code."""
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
