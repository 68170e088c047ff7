"""Run contestants in fresh processes, one after the other."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from consumers.bench.parts.task import Task

HERE = ("bootstrap", "prefix", "registry", "url", "folder")
"""Fields of a task that mean nothing on another machine, so reports leave them out."""
LIMIT_SECONDS = 600.0
TOLD_LINES = 5


class ContestantFailed(Exception):
    """A contestant ended without figures. The message has the end of its output."""

    def __init__(self, contestant: str, why: str) -> None:
        super().__init__(f"{contestant}: {why}")
        self.contestant = contestant


class Ran(msgspec.Struct):
    """One contestant's task and figures; `seconds` from its start to its end."""

    contestant: str
    task: dict[str, Any]
    figures: dict[str, Any]
    seconds: float


class Runner:
    """Starts contestants and keeps their answers. tell: gets the name of each that starts, for people who wait."""

    def __init__(self, tell: Callable[[str], object], package: str = "consumers.bench") -> None:
        self.ran: list[Ran] = []
        self._tell, self._package = tell, package

    def run(self, contestant: str, task: Task) -> dict[str, Any]:
        """Return the figures of a contestant in a fresh process. Raises ContestantFailed."""
        self._tell(contestant)
        begun = time.monotonic()
        order = msgspec.json.encode(task).decode()
        code, out, errors = _finished([sys.executable, "-m", f"{self._package}.{contestant}", order])
        if code != 0:
            end = "\n".join(errors.strip().splitlines()[-TOLD_LINES:])
            raise ContestantFailed(contestant, f"exit code {code}: {end}")
        try:
            figures: dict[str, Any] = msgspec.json.decode(out, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise ContestantFailed(contestant, f"no JSON object: {error}") from error
        given = {
            name: value
            for name, value in msgspec.to_builtins(task).items()
            if value != getattr(Task(), name) and name not in HERE
        }
        self.ran.append(Ran(contestant, given, figures, round(time.monotonic() - begun, 1)))
        return figures

    def run_beside(self, contestant: str, task: Task, count: int) -> list[dict[str, Any]]:
        """Return the figures of as many processes of one contestant that run at the same time. See `run`."""
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(lambda _: self.run(contestant, task), range(count)))


def _finished(command: list[str]) -> tuple[int, str, str]:
    """Return exit code, output and errors. The process and all that it started are gone when it returns or raises."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors, start_new_session=True)  # noqa: S603
        try:
            code = process.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
            errors.write(f"not done within {LIMIT_SECONDS:.0f} s\n")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        texts = []
        for file in (out, errors):
            file.seek(0)
            texts.append(file.read())
        return code, *texts  # type: ignore[return-value]
