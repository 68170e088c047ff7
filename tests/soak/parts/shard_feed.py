"""Send events of all users to several shards while something happens to these."""

from __future__ import annotations

import threading

from tests.support.service.shards_world import Shards

RATE = 40.0
"""Events a second."""


class ShardFeed(threading.Thread):
    """Sends about `RATE` events a second until it ends."""

    def __init__(self, shards: Shards) -> None:
        super().__init__(name="feed", daemon=True)
        self._shards, self._ended = shards, threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.1):
            self._shards.send(int(RATE / 10))

    def end(self) -> None:
        self._ended.set()
        self.join()
