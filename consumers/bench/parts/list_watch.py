"""Watch in the store how long after an event its user's list is readable."""

from __future__ import annotations

import re
import threading
import time

import redis

from serving.contract import Keys

WATCHED = 64
"""Events that are watched at a time. Others are not watched."""
EVERY_SECONDS = 0.005
HEAD_BYTES = 120
"""The beginning of a list, with its times. To decode whole lists would cost more than the store does."""
_EVENT_TS = re.compile(rb'"event_ts":(\d+)')


class ListWatch(threading.Thread):
    """Looks for lists that were made after an event, every 5 ms; `end` stops it.

    A list counts as the event's once its `event_ts`, the newest event time that was learned, has reached the event's.
    """

    def __init__(self, url: str) -> None:
        super().__init__(name="lists", daemon=True)
        self.seconds: list[float] = []
        """When each watched event was sent. It is removed once its list was read."""
        self._client = redis.Redis.from_url(url, legacy_responses=False)
        self._keys = Keys()
        self._waiting: dict[str, int] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def sent(self, user: str, domain: str, at_ms: int) -> None:
        """Watch an event that is being sent, unless enough are watched."""
        with self._lock:
            if len(self._waiting) < WATCHED:
                self._waiting.setdefault(self._keys.recommendations(user, domain), at_ms)

    def end(self, seconds: float) -> int:
        """Wait this long for lists, then stop. Return how many are missing; each counts with its age so far."""
        deadline = time.monotonic() + seconds
        while self._waiting and time.monotonic() < deadline:
            time.sleep(EVERY_SECONDS)
        self._ended.set()
        self.join()
        self._client.close()
        now = time.time()
        self.seconds += [now - at_ms / 1000 for at_ms in self._waiting.values()]
        return len(self._waiting)

    def run(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            with self._lock:
                waiting = dict(self._waiting)
            pipeline = self._client.pipeline(transaction=False)
            for key in waiting:
                pipeline.getrange(key, 0, HEAD_BYTES)
            heads = pipeline.execute()
            now = time.time()
            for (key, at_ms), head in zip(waiting.items(), heads, strict=True):
                found = _EVENT_TS.search(head)
                if found is not None and int(found[1]) >= at_ms:
                    self.seconds.append(now - at_ms / 1000)
                    with self._lock:
                        del self._waiting[key]
