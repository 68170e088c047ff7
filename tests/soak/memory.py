"""Show that memory is bounded: `python -m tests.soak.memory [--ids N] [--users ROWS] [--minutes 60] [--out DIR]`.

Many more distinct users than rows, and more items than rows, go through the whole pipeline with a real store and real
checkpoints. `memory.json` and `memory.png` in DIR show memory, resident users and the store's keys along the stream.
The exit code is 1 if memory grows once it is warm, if scoring makes rows, if a user or item that comes back after an
eviction does not start as new, or if the store keeps keys of users too long. 10 million ids take some hours. After
`--minutes` the run is judged by its samples so far. `samples.json` exists from the first ten samples on.

Memory is warm once every table, window and buffer has been full, slots of co-visits have been swept, and three more
checkpoints were written. Until then half of the events belong to the target: otherwise its items would fill their rows
thirty times later than all others. Records come faster than they are learned, so lists get a small share of the time,
and the queue grows to its bound.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import redis
import structlog

from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.demo.embedded_servers import Store
from consumers.events.record import Offsets
from consumers.service.saving.checkpointer import Checkpointer
from consumers.service.wiring import Ends, wired
from models.signals.covisitation import SWEEP
from models.text.encoder import HashingEncoder
from models.threads import use_one_thread
from serving.contract import Keys
from serving.metrics import Metrics
from serving.store.publisher import Publisher
from serving.store.redis_store import open_store
from tests.soak.parts.after_eviction import (
    evicted_item_returns,
    evicted_user_returns,
    scoring_creates_nothing,
)
from tests.soak.parts.endless_stream import TARGET, Stream
from tests.support.doubles import ListSink, SyncEncoding
from tests.support.learners.checkpointers import INCREMENTS
from tests.support.memory import resident

SAMPLES = 200
CHECKPOINTS = 3
"""Checkpoints with full tables before memory counts as warm: their copies are as large as all later ones."""
GROWTH = 0.03
"""Largest relative difference of mean memory between the first and the last third of the warm stream."""


class Soak:
    """One run: the pipeline, and its measurements."""

    def __init__(self, ids: int, users: int, folder: Path, out: Path, store: Store) -> None:
        """folder: for checkpoints. out: for measurements."""
        self.ids, self.users, self.out = ids, users, out
        self.client = redis.Redis.from_url(store.url, legacy_responses=False)
        self.settings = settings_for(users)
        self.source = Stream(ids, users, int(1.2 * self.settings.learner.items_per_domain))
        ends = Ends(
            self.source,
            ListSink(),
            SyncEncoding(HashingEncoder()),
            Publisher(open_store(store.url), Keys().meta, 1),
            Checkpointer(folder / "checkpoints", 30.0, self._saved, policy=INCREMENTS),
        )
        self.pipeline = wired(self.settings, ends, Metrics(), started_ts=1)
        self.arms = self.pipeline.arms
        self.checkpoints = 0
        self._full_at: int | None = None
        """Number of checkpoints written when everything was full first."""
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
        """Return how full each bounded structure is, as a share, for those that events alone fill."""
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
            "backlog": self.pipeline.queue.backlog() + publisher.backlog(),
        }
        for name, value in values.items():
            self.samples[name].append(value)
        if len(self.samples["ids"]) % 10 == 1:
            fullness = "warm" if self.warm is not None else f"{min(self.filled().values()):.0%} full"
            print({name: round(value) for name, value in values.items()}, fullness, flush=True)
            # A run that is stopped leaves samples, too.
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
            # Set to catch up: fewer network steps, and less time for lists. That saves a quarter of several hours.
            "intake": {"dedup_events": users, "network_events": 1024},
            "publish": {"ttl_seconds": 60, "interval_ms": 1000, "lists_within_ms": 60_000.0},
        }
    )


def memory_mb() -> float:
    """Return the resident memory of this process, MB."""
    return resident() / 1e6


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
    """Write memory.json and memory.png to `out`; return the report."""
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
