"""Run one process of the service, and ask it how it is."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from consumers.config.loader import PREFIX
from consumers.demo.embedded_servers import HOST, free_port
from consumers.demo.guarded import Guarded, end_of
from consumers.demo.shards.readings import Reading, reading_of
from consumers.errors import Stop
from consumers.web import Answer, NoAnswer, Request, ask
from serving.worker import Worker

ASK_SECONDS = 0.5
"""How often a process is asked."""
KEPT_READINGS = 6
STARTING, READY, CATCHING_UP = "starting", "ready", "catching up"
KILLED, STOPPING, STOPPED = "killed", "stopping", "stopped"


class Place(NamedTuple):
    """How a process is started. shard: its index, None for the process that trains the network."""

    config: Path
    shard: int | None
    log: Path


class Member:
    """A shard or the network's process. A thread asks it for its metrics; the others may be called by one thread."""

    def __init__(self, place: Place) -> None:
        self.index = place.shard
        self.name = "network" if place.shard is None else f"shard {place.shard}"
        self._place, self._port = place, free_port()
        self._process: Guarded | None = None
        self._killed = self._stopping = False
        self._readings: deque[Reading] = deque(maxlen=KEPT_READINGS)
        self._state = STARTING
        self.ready_ms = 0
        """When it was ready after its last start, ms since the epoch; 0 before."""
        self._asking = Worker(f"ask {self.name}", self._ask_often, again=1.0)

    def start(self) -> None:
        """Start it, or start it again after a kill. Return at once."""
        self._killed, self._state, self.ready_ms = False, STARTING, 0
        verb = "network" if self.index is None else "run"
        command = [sys.executable, "-m", "consumers.cli", verb, "--config", str(self._place.config)]
        self._process = Guarded(command, self._place.log, environ=environment(self.index, self._port))
        if not self._asking.is_alive():
            self._asking.start()

    def kill(self) -> None:
        """End it with kill -9."""
        self._killed, self._state = True, KILLED
        if self._process is not None:
            self._process.kill()
        self._readings.clear()

    def end(self) -> None:
        """Ask it to stop, as an operator does. Return at once."""
        self._stopping, self._state = True, STOPPING
        if self._process is not None and self._process.code is None:
            self._process.end()

    def ended(self) -> bool:
        """Return whether it runs no more. Raises Stop if it ended with an error."""
        code = None if self._process is None else self._process.code
        if code is None or self._killed:
            return code is not None
        if code or not self._stopping:
            raise Stop(f"{self.name} ended with exit code {code}.{end_of(self._place.log)}", max(code, 1))
        self._state = STOPPED
        return True

    @property
    def state(self) -> str:
        return self._state

    @property
    def readings(self) -> tuple[Reading, ...]:
        """What it told last, the newest at the end; nothing while it does not run."""
        return tuple(self._readings)

    def idle_since(self, moment: float) -> bool:
        """Return whether it has said, after this moment of the steady clock, that nothing waits to be learned."""
        last = self.readings[-1:]
        return bool(last) and last[0].at > moment and last[0].waiting == 0

    def _ask_often(self) -> None:
        while not self._stopping:
            self._ask()
            time.sleep(ASK_SECONDS)

    def _ask(self) -> None:
        process, at = self._process, time.monotonic()
        if process is None or process.code is not None:
            return
        ready, told = self._get("/readyz"), self._get("/metrics")
        if process is not self._process or self._killed or self._stopping:
            return  # meanwhile it was killed, or told to stop
        if ready is not None and ready.status == 200:
            self.ready_ms = self.ready_ms or int(1000 * time.time())
        self._state = STARTING if ready is None else READY if ready.status == 200 else CATCHING_UP
        if told is not None and told.status == 200:
            self._readings.append(reading_of(told.data.decode(), at))

    def _get(self, path: str) -> Answer | None:
        try:
            return ask(Request("GET", f"http://{HOST}:{self._port}{path}", {}, 1.0, 5.0, None, ""))
        except NoAnswer:
            return None


def environment(index: int | None, port: int, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a process: that of the demo, without keys of a config, and with its own place."""
    kept = {key: value for key, value in environ.items() if not (key.startswith(PREFIX) and "__" in key)}
    own = {f"{PREFIX}METRICS__PORT": str(port)}
    if index is not None:
        own[f"{PREFIX}SHARDS__INDEX"] = str(index)
    return kept | own
