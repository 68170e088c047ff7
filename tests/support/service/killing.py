"""Kill a `crosscurrent run` process again and again while events come, and check what must hold afterwards."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence

from consumers.config.schema import KafkaConfig
from consumers.dead_letters.topic_reader import LetterLog
from tests.support.service.running import wait_for
from tests.support.service.service_world import DOMAINS, World

STAGES = ("start", "checkpoint", "stop", "stream", "burst")
USERS = 20
START_SECONDS = 8.0
"""Seconds of a start on a busy machine. Kills that should hit a start come within them."""
START_PATIENCE = 240.0


class Feed(threading.Thread):
    """Produces about `rate` records a second until it ends, and knows what must have been learned.

    Clicks, ratings and item events; one in twenty repeats an earlier `event_id`, one in forty is poison.
    """

    def __init__(self, world: World, rate: float, seed: int) -> None:
        super().__init__(name="feed", daemon=True)
        self.learned: Counter[tuple[str, str]] = Counter()
        """Events by (user, domain), without repeats."""
        self.poison: set[bytes] = set()
        self.sent = 0
        self._world = world
        self._rate = rate
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._ids: list[tuple[str, str, str]] = []
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.05):
            self.some(max(1, int(self._rate * 0.05)))

    def end(self) -> None:
        self._ended.set()
        self.join()
        self._world.producer.flush()

    def some(self, n: int) -> None:
        """Send this many records at once."""
        with self._lock:
            for _ in range(n):
                self._one()

    def _one(self) -> None:
        draw, world = self._random.random(), self._world
        domain = self._random.choice(list(DOMAINS))
        user, item = f"u{self._random.randrange(USERS)}", f"{domain[0]}{self._random.randrange(20)}"
        self.sent += 1
        if draw < 0.025:
            value = b'{"oops": %d' % self.sent
            self.poison.add(value)
            world.raw(domain, user, value)
        elif draw < 0.05:
            world.item(domain, item, title=f"Title {self.sent} of {domain}", text="a plain text " * 20)
        elif draw < 0.1 and self._ids:
            domain, user, event_id = self._random.choice(self._ids)
            world.rate(domain, user, f"{domain[0]}1", 3, event_id=event_id)
        else:
            event_id = f"e{self.sent}"
            self._ids.append((domain, user, event_id))
            self.learned[user, domain] += 1
            world.rate(domain, user, item, 1 + self.sent % 5, event_id=event_id)


class Storm:
    """Kills the service at random moments of every stage. `hits` says what each kill interrupted."""

    def __init__(self, world: World, seed: int = 0, rate: float = 50.0) -> None:
        self.world = world
        self.feed = Feed(world, rate, seed)
        self.hits: Counter[str] = Counter()
        self._random = random.Random(seed)
        config = world.service.config
        every = "interval_seconds = 0.5"
        config.write_text(config.read_text().replace(every, f"{every}\nwhole_mb = 0.0"))  # increments at once
        self._checkpoints = world.service.config.parent / "checkpoints"

    def run(self, kills: int, stages: Sequence[str] = STAGES) -> None:
        """Kill this many times, then start once more and catch up. Raises AssertionError if anything was lost."""
        self.world.fill(0)
        self.feed.start()
        try:
            self.world.service.start()
            for n in range(kills):
                self._kill_in(stages[n % len(stages)])
                self.world.service.start()
        finally:
            self.feed.end()
        self._wait_until_ready()
        self.check()

    def _wait_until_ready(self) -> None:
        """Wait long enough for a busy machine. If the start hangs, show where."""
        service = self.world.service
        try:
            service.wait_until_ready(START_PATIENCE)
        except AssertionError:
            if service.process is not None and service.process.poll() is None:
                service.stop(signal.SIGABRT)  # faulthandler: every thread's stack goes to the log
            raise AssertionError(service.log.read_text()[-5000:]) from None

    def _kill_in(self, stage: str) -> None:
        service = self.world.service
        assert service.process is not None
        if stage == "start":
            time.sleep(self._random.uniform(0, START_SECONDS))
        else:
            self._wait_until_ready()
        if stage == "stop":
            service.process.send_signal(signal.SIGTERM)
            time.sleep(self._random.uniform(0, 0.6))
        elif stage == "stream":
            time.sleep(self._random.uniform(0, 3))
        elif stage == "burst":
            self.feed.some(500)
            time.sleep(self._random.uniform(0, 0.5))
        elif stage == "checkpoint":
            self._await_writing()
        ended = service.process.poll()
        assert ended in (None, 0), f"{stage}: exit {ended}: {service.log.read_text()[-2000:]}"
        service.kill()
        met = self._written() if ended is None else "already stopped"
        self.hits[f"{stage}: {met}"] += 1

    def _await_writing(self) -> None:
        """Wait until a checkpoint is being written, and some moments more."""
        deadline = time.monotonic() + 20
        while not any(self._checkpoints.glob("writing-*")):
            assert time.monotonic() < deadline, "no checkpoint is written"
            time.sleep(0.0002)
        time.sleep(self._random.choice((0, 0.002, 0.005, 0.01, 0.03)))

    def _written(self) -> str:
        """Say what the kill left of a checkpoint."""
        for folder in self._checkpoints.glob("writing-*"):
            return "half a checkpoint: " + ", ".join(sorted(p.name for p in folder.iterdir()) or ["empty"])
        return "no half checkpoint"

    def check(self) -> None:
        """Check the counts by user and domain, and that each bad record is a dead letter, with equal headers."""
        feed, world = self.feed, self.world
        wait_for(
            lambda: self.counts().total() >= feed.learned.total(), why="everything learned and published"
        )
        time.sleep(1.0)  # an event that is learned twice would show now
        assert self.counts() == feed.learned
        self._check_letters()
        assert world.service.stop() == 0
        assert "Traceback" not in world.service.log.read_text()

    def counts(self) -> Counter[tuple[str, str]]:
        """Return the events ever learned by (user, domain), as published."""
        found: Counter[tuple[str, str]] = Counter()
        for user in {user for user, _ in self.feed.learned}:
            fields = self.world.store.hgetall(f"{self.world.prefix}:user:{{{user}}}")
            for name, count in fields.items():
                if name.startswith(b"events:"):
                    found[user, name.decode().removeprefix("events:")] = int(count)
        return found

    def _check_letters(self) -> None:
        headers: dict[bytes, list[dict[str, str]]] = {}
        config = KafkaConfig([self.world.bootstrap], dead_letter_topic=f"{self.world.prefix}.dead")
        with LetterLog(config) as log:
            for letter in log.letters():
                headers.setdefault(letter.value or b"", []).append(letter.headers)
        assert set(headers) == self.feed.poison
        assert all(copy == copies[0] for copies in headers.values() for copy in copies)
        places = {
            tuple(copies[0][name] for name in ("topic", "partition", "offset")) for copies in headers.values()
        }
        assert len(places) == len(headers)
        self.hits["dead letters"] = len(headers)
        self.hits["dead letters written twice"] = sum(len(c) - 1 for c in headers.values())
        self.hits["events"] = self.feed.learned.total()
