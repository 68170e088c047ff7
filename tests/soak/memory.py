"""Bounded memory: `python -m tests.soak.memory [--ids 10000000] [--users 100000] [--minutes 60] [--out DIR]`.

Many more distinct users than rows, and more items than rows, go through the whole pipeline with a real store and real
checkpoints. `memory.json` and `memory.png` in DIR show memory, resident users and the store's keys along the stream.
Exit code 1 if memory grows once it is warm, if scoring makes rows, if what comes back after an eviction does not start
as new with its text, or if the store keeps keys of users past their time. 10 million ids take some hours; after
`--minutes` the run is judged by what there was, and `samples.json` is there from the first ten samples on.

Warm: every table, window and buffer has been full once, slots of co-visits have been swept, and three checkpoints
were written since. Until then half of the events are the target's, as its items would else fill their rows thirty
times later than all others; how full they are is all that this changes. Records come faster than they are learned, so
lists get a small share of the time, and what waits in the outbox grows to its bound.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import redis
import structlog

from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.demo.embedded_servers import Store
from consumers.events.record import Offsets, Record
from consumers.service.checkpoint_writer import Checkpointer
from consumers.service.wiring import Ends, wired
from models.arm_comparison import Arms
from models.learner import Learner
from models.schema import Interaction, Item
from models.signals.covisitation import SWEEP
from models.state.snapshot import table_bytes
from models.text.encoder import HashingEncoder
from models.threads import use_one_thread
from serving.contract import Keys
from serving.metrics import Metrics
from serving.store.redis_store import open_store
from serving.store.redis_writer import Publisher
from tests.support.doubles import ListSink, ListSource, SyncEncoding

START = 1_700_000_000_000
NEW, TARGET, RATING, ITEM_EVENT = 0.98, 0.005, 0.1, 0.01
"""Shares: events of users never seen before, in the target domain, with a rating; records that are item events."""
TARGET_COLD = 0.5
"""Share of events in the target domain until all is warm."""
RECORDS = 2000
"""A poll: several micro-batches, so that the stream is always behind."""
SAMPLES = 200
CHECKPOINTS = 3
"""Written with everything full, before memory counts as warm: their copies are as large as any later one's."""
GROWTH = 0.03
"""What memory may differ by, on average, between the first and the last third of the stream once it is warm."""
WORDS = ("dark", "red", "happy", "sad", "old", "new", "sea", "star", "love", "road", "night", "king", "ghost")


class Stream(ListSource):
    """Records made as they are read; `ids` users have been seen."""

    def __init__(self, limit: int, users: int, items: int) -> None:
        super().__init__([])
        self._random = random.Random(0)
        self._limit, self._users, self._items = limit, users, items
        self._offsets_made: Offsets = {}
        self.ids = 0
        self.target = TARGET_COLD

    @property
    def exhausted(self) -> bool:
        return self.ids >= self._limit

    def poll(self, timeout: float) -> list[Record]:
        return [] if self.exhausted else list(self._made(RECORDS))

    def _made(self, count: int) -> Iterator[Record]:
        rng = self._random
        for _ in range(count):
            domain = "books" if rng.random() < self.target else "movies"
            item = f"{domain[0]}{int(self._items * rng.random() ** 3)}"
            if rng.random() < ITEM_EVENT:
                title = " ".join(rng.choices(WORDS, k=3))
                yield self._record(f"items.{domain}", item, {"item_id": item, "title": title})
                continue
            if rng.random() < NEW:
                user, self.ids = f"u{self.ids}", self.ids + 1
            else:  # resident or evicted
                user = f"u{max(0, self.ids - rng.randrange(1, 3 * self._users))}"
            fields: dict[str, Any] = {"type": "click", "user_id": user, "item_id": item}
            if rng.random() < RATING:
                fields |= {"type": "rating", "value": rng.randint(1, 5)}
            fields["event_id"] = f"{user}-{self.ids}-{rng.random()}"
            yield self._record(f"interactions.{domain}", user, fields)

    def _record(self, topic: str, key: str, fields: dict[str, Any]) -> Record:
        offset = self._offsets_made.get((topic, 0), 0)
        self._offsets_made[topic, 0] = offset + 1
        return Record(topic, 0, offset, START + 10 * self.ids, key.encode(), json.dumps(fields).encode())


class Soak:
    """One run: the pipeline, and what was measured along it."""

    def __init__(self, ids: int, users: int, folder: Path, out: Path, store: Store) -> None:
        """folder: for checkpoints; out: for what was measured."""
        self.ids, self.users, self.out = ids, users, out
        self.client = redis.Redis.from_url(store.url, legacy_responses=False)
        self.settings = settings_for(users)
        self.source = Stream(ids, users, int(1.2 * self.settings.learner.items_per_domain))
        ends = Ends(
            self.source,
            ListSink(),
            SyncEncoding(HashingEncoder()),
            Publisher(open_store(store.url), Keys().meta, 1),
            Checkpointer(folder / "checkpoints", 30.0, self._saved, whole_mb=0.0),
        )
        self.pipeline = wired(self.settings, ends, Metrics(), started_ts=1)
        self.arms = self.pipeline.arms
        self.checkpoints = 0
        self._full_at: int | None = None
        """Checkpoints written when everything was full first."""
        self.warm: int | None = None
        """The first sample of warm memory."""
        self.samples: dict[str, list[float]] = {
            name: [] for name in ("ids", "seconds", "memory_mb", "users", "evictions", "keys", "backlog")
        }

    def _saved(self, _offsets: Offsets, _seconds: float) -> None:
        self.checkpoints += 1

    def run(self, seconds: float) -> None:
        begun, wanted = time.monotonic(), 0
        self.pipeline.restore()
        while not self.source.exhausted and time.monotonic() - begun < seconds:
            self.pipeline.step()
            if self.source.ids >= wanted:
                wanted += max(self.ids // SAMPLES, 1)
                self._sample(time.monotonic() - begun)
        self.pipeline.finish()

    def filled(self) -> dict[str, float]:
        """How full everything bounded is whose bound is reached by events alone, as a share."""
        found = {"dedup": len(self.pipeline.dedup) / self.settings.intake.dedup_events}
        full = self.arms.full
        tables = [full.users, *(catalogue.ids for catalogue in full.catalogues)]
        found |= {f"table {n}": len(ids) / ids.capacity for n, ids in enumerate(tables)}
        buffer, visits = full.network.buffer, full.ranker.statistics.visits
        found["replay"] = len(buffer) / buffer.capacity
        gone = sum(ids.evictions for ids in tables[1:])
        found["co-visits"] = min(gone / max(SWEEP, visits.used // 10), 1.0)
        return found

    def _warm_up(self) -> None:
        if self._full_at is None and min(self.filled().values()) >= 1.0:
            self._full_at, self.source.target = self.checkpoints, TARGET
        if self._full_at is not None and self.checkpoints >= self._full_at + CHECKPOINTS:
            self.warm = len(self.samples["ids"])

    def _sample(self, seconds: float) -> None:
        if self.warm is None:
            self._warm_up()
        users, publisher = self.arms.full.users, self.pipeline.publisher
        assert publisher is not None
        values = {
            "ids": self.source.ids,
            "seconds": seconds,
            "memory_mb": memory_mb(),
            "users": len(users),
            "evictions": users.evictions,
            "keys": int(self.client.dbsize()),
            "backlog": self.pipeline.outbox.backlog() + publisher.backlog(),
        }
        for name, value in values.items():
            self.samples[name].append(value)
        if len(self.samples["ids"]) % 10 == 1:
            fullness = "warm" if self.warm is not None else f"{min(self.filled().values()):.0%} full"
            print({name: round(value) for name, value in values.items()}, fullness, flush=True)
            # A run that is stopped leaves something too.
            along = {"warm": self.warm, "samples": self.samples}
            (self.out / "samples.json").write_text(json.dumps(along))

    def close(self) -> None:
        assert self.pipeline.publisher is not None
        assert self.pipeline.checkpointer is not None
        self.pipeline.publisher.close(0.0)
        self.pipeline.checkpointer.close()
        self.client.close()

    # What must hold

    def verdicts(self) -> dict[str, bool]:
        full = self.arms.full
        return {
            "every table and buffer has been full": self.warm is not None,
            "memory flat from then on": abs(self.growth()) <= GROWTH,
            "users stay within their rows": len(full.users) == self.users == max(self.samples["users"]),
            "scoring creates no rows": scoring_creates_nothing(self.arms),
            "an evicted user is as a new one, then is known again": evicted_user_returns(
                full, self.source.ids
            ),
            "an evicted item is known by its text, without events": evicted_item_returns(full),
            "the store forgets users": self._users_expire(),
        }

    def growth(self) -> float:
        memory = np.array(self.samples["memory_mb"][self.warm or 0 :])
        third = max(len(memory) // 3, 1)
        return float(memory[-third:].mean() / memory[:third].mean() - 1.0)

    def _users_expire(self) -> bool:
        time.sleep(self.settings.publish.ttl_seconds + 2)
        left = [key for pattern in ("cc:user:*", "cc:rec:*") for key in self.client.scan_iter(pattern, 1000)]
        return not left


def settings_for(users: int) -> Settings:
    return build(
        {
            "domains": {"movies": {"recommend": False}, "books": {"role": "target"}},
            "learner": {"users": users, "items_per_domain": max(users // 10, 1000)},
            # Set for catching up: fewer network steps, and less time for lists. Of several hours that is a quarter.
            "intake": {"dedup_events": users, "network_events": 1024},
            "publish": {"ttl_seconds": 60, "interval_ms": 1000, "lists_within_ms": 60_000.0},
        }
    )


def memory_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def scoring_creates_nothing(arms: Arms) -> bool:
    def sizes() -> tuple[int, ...]:
        full = arms.full
        ids = [full.users, *(catalogue.ids for catalogue in full.catalogues)]
        return (table_bytes(arms.live()), len(full.rating.bias.cells.names()), *map(len, ids))

    before = sizes()
    for n in range(1000):
        event = Interaction("books", "rating", f"never-{n}", f"nothing-{n}", START, 3.0)
        arms.full.score(event)
        arms.recommend([f"never-{n}"], "books", 10)
    return sizes() == before


def evicted_user_returns(full: Learner, ids: int) -> bool:
    """Its rating and list are a new user's; one event gives it a row of its own and a count of 1."""
    item = next(iter(full.catalogues[1].ids))
    evicted = next(user for user in (f"u{n}" for n in range(ids)) if user not in full.users)
    events = [Interaction("books", "rating", user, item, START, 1.0) for user in (evicted, "never")]
    known, new = (full.score(event).parts for event in events)
    lists = full.recommend([evicted, None], "books", 10)
    as_new = known == new and lists[0] == lists[1] and len(lists[0]) == 10
    full.learn(events[:1])
    again = full.score(events[0]).parts
    return as_new and evicted in full.users and full.events_of(evicted)["books"] == 1 and again != new


def evicted_item_returns(full: Learner) -> bool:
    """With an item event it has its text's part of a rating at once, and none of its own."""
    catalogue = full.catalogues[1]
    gone = next(item for item in (f"b{n}" for n in range(10**9)) if item not in catalogue.ids)
    full.put_item(Item("books", gone, "dark sea star"))
    full.put_text_vectors({("books", gone): HashingEncoder().encode(["dark sea star"])[0]}, idle=True)
    parts = full.score(Interaction("books", "rating", "never", gone, START, 3.0)).parts
    return parts is not None and parts.item == 0.0 and parts.text != 0.0


def plot(samples: dict[str, list[float]], warm: int | None, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(4, 1, figsize=(9, 10), sharex=True, constrained_layout=True)
    for axis, name in zip(axes, ("memory_mb", "users", "evictions", "keys"), strict=True):
        axis.plot(samples["ids"], samples[name])
        axis.set_ylabel(
            {
                "memory_mb": "resident memory, MB",
                "users": "users with a row",
                "keys": "keys in the store",
            }.get(name, name)
        )
        if warm is not None:
            axis.axvline(samples["ids"][warm], color="grey", linestyle=":", label="everything has been full")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.25)
    axes[0].legend(loc="lower right")
    axes[-1].set_xlabel("distinct users so far")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def run(ids: int, users: int, out: Path, minutes: float = float("inf")) -> dict[str, Any]:
    """Writes memory.json and memory.png to `out`; gives the report."""
    use_one_thread()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    out.mkdir(parents=True, exist_ok=True)
    with Store() as store, tempfile.TemporaryDirectory() as folder:
        soak = Soak(ids, users, Path(folder), out, store)
        try:
            soak.run(60 * minutes)
            report = {
                "ids": soak.source.ids, "users": users, "growth": soak.growth(), "verdicts": soak.verdicts(),
                "warm": soak.warm, "filled": soak.filled(), "samples": soak.samples,
            }  # fmt: skip
        finally:
            soak.close()
    (out / "memory.json").write_text(json.dumps(report, indent=1))
    plot(soak.samples, soak.warm, out / "memory.png")
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--ids", type=int, default=10_000_000, help="distinct users")
    parser.add_argument("--users", type=int, default=100_000, help="rows")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="judge what there was by then")
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    report = run(options.ids, options.users, options.out, options.minutes)
    for what, holds in report["verdicts"].items():
        print("yes" if holds else "NO ", what)
    memory = report["samples"]["memory_mb"]
    print(
        f"{report['ids']:,} users, {memory[-1]:.0f} MB; warm, last third against the first: "
        f"{100 * report['growth']:+.2f} %"
    )
    sys.exit(0 if all(report["verdicts"].values()) else 1)


if __name__ == "__main__":
    main()
