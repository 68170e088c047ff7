"""How long a checkpoint stops the stream, and what it writes: `python -m tests.bench.checkpoint [USERS]`.

A learner of two domains with 1,000,000 resident users and 50,000 items a domain (taste, history, biases, network
rows and lists in use, the dedup window full), then rounds of events, each followed by a checkpoint that is written
while events go on. A rival of the network begins in the first or second round: what its beginning adds to a step is
measured too.
Needs about 18 GB of memory and as much room in TMPDIR for 1,000,000 users.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
import time
from array import array
from collections import OrderedDict
from pathlib import Path

import numpy as np
from river.utils import VectorDict

from consumers.checkpointer import Checkpointer
from consumers.dedup import DedupWindow
from models.arms import Arms
from models.contest import Contest
from models.covisitation import KINDS, NEIGHBOURS, CoVisitation
from models.interaction import Domain, Interaction
from models.learner import Learner
from models.settings import LearnerSettings
from models.threads import use_one_thread
from serving.outbox import Outbox
from serving.records import Keys

ITEMS, EVENTS, ROUNDS, DEDUP = 50_000, 3_000, 3, 100_000
DOMAINS = ("movies", "books")
START = 1_700_000_000.0


def filled(users: int) -> tuple[Arms, Outbox]:
    """Every user with ten seen items a domain, a taste, biases, a network row and a published list; every item with
    64 neighbours. The tables are filled directly: a stream would take an hour."""
    domains = [Domain("movies", "source", recommend=False), Domain("books", "target")]
    arms = Arms(domains, LearnerSettings(users=users, items_per_domain=ITEMS, compare=False))
    outbox = Outbox(arms, Keys(), lambda: START)
    full, rng = arms.full, np.random.default_rng(0)
    for d, name in enumerate(DOMAINS):
        catalogue = full.catalogues[d]
        for n in range(ITEMS):
            full._item_row(d, f"{name[0]}{n}")
        catalogue.vectors[:] = rng.standard_normal(catalogue.vectors.shape, np.float32) / 8
        catalogue.has_vector[:ITEMS] = True
        full._set_vector(d, 0, catalogue.vectors[0].copy())
    ids = [f"user-{n}" for n in range(users)]
    full.users._rows = OrderedDict((user, n) for n, user in enumerate(ids))
    fill_rating(full, ids)
    fill_history(full, users)
    fill_visits(full.ranker.statistics.visits)
    full.network._users.reserve(users)
    full.network._users.values[:] = 0.1
    for choice in full.ranker.choices:
        choice.users = np.full((users, 2, choice.signals), 0.1, np.float32)
    outbox._on_lists["books"] = np.ones((users, 50), np.int32)
    outbox._written_at = np.full(users, START)
    return arms, outbox


def fill_rating(full: Learner, ids: list[str]) -> None:
    taste, bias, users = full.rating.taste, full.rating.bias, len(ids)
    for name in ("known", "time", "mean", "covariance"):
        table = getattr(taste, name)
        setattr(taste, name, np.ones((users, *table.shape[1:]), table.dtype))
    taste.covariance[:] = taste._prior
    names = [f"user:{user}" for user in ids]
    names += [f"user@domain:{domain}:{user}" for domain in DOMAINS for user in ids]
    bias.optimizer.variances = dict.fromkeys(names, 0.01)
    bias.regression._weights = VectorDict(dict.fromkeys(names, 0.1))


def fill_history(full: Learner, users: int) -> None:
    history = full.history
    for name in ("events", "_domain", "_row", "_time", "_seq"):
        table = getattr(history, name)
        setattr(history, name, np.ones((users, *table.shape[1:]), table.dtype))
    history.events[:] = 10
    history._seen = [{n: array("q", range(n, n + 10)) for n in range(users)} for _ in DOMAINS]


def fill_visits(visits: CoVisitation) -> None:
    slots = len(DOMAINS) * ITEMS
    visits.used = slots
    visits.slot_of = [np.arange(1, ITEMS + 1, dtype=np.int32) + d * ITEMS for d in range(len(DOMAINS))]
    visits.domain_of = np.repeat(np.arange(len(DOMAINS), dtype=np.int8), ITEMS)
    visits.row_of = np.tile(np.arange(ITEMS, dtype=np.int32), len(DOMAINS))
    visits.ids = np.full((slots, NEIGHBOURS), -1, np.int32)
    visits.ids[:, :64] = np.random.default_rng(2).integers(0, slots, (slots, 64))
    visits.weights = np.zeros((slots, NEIGHBOURS, len(KINDS)), np.float32)
    visits.weights[:, :64] = 1.0
    visits.start = START


def some_events(users: int, count: int, rng: np.random.Generator) -> list[Interaction]:
    """Users at random, items by a power law."""
    items = np.minimum(rng.zipf(1.2, count) - 1, ITEMS - 1)
    return [
        Interaction(
            DOMAINS[n % 2], "rating", f"user-{u}", f"{DOMAINS[n % 2][0]}{i}", int(START * 1000) + n, 4.0
        )
        for n, (u, i) in enumerate(zip(rng.integers(0, users, count).tolist(), items.tolist(), strict=True))
    ]


class Timed:
    """Wall and CPU milliseconds of a block."""

    def __enter__(self) -> Timed:
        self._cpu, self._wall = time.thread_time(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = (
            1e3 * (time.perf_counter() - self._wall),
            1e3 * (time.thread_time() - self._cpu),
        )

    def __str__(self) -> str:
        return f"{self.wall:.0f} ms ({self.cpu:.0f} ms of CPU)"


def timing_beginnings(network: Contest) -> list[Timed]:
    """How long each rival took to begin, from now on."""
    begin, taken = network._begin, list[Timed]()

    def timed() -> None:
        with Timed() as time_taken:
            begin()
        if network._rival is not None:
            taken.append(time_taken)

    network._begin = timed  # type: ignore[method-assign]
    return taken


def main() -> None:
    use_one_thread()
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    begun = time.perf_counter()
    arms, outbox = filled(users)
    print(f"{users:,} users filled in {time.perf_counter() - begun:.0f} s")
    folder = Path(tempfile.mkdtemp(prefix="checkpoints-"))
    checkpointer = Checkpointer(
        folder, 10.0, lambda _offsets, seconds: print(f"  written in {seconds:.1f} s")
    )
    rng, dedup = np.random.default_rng(1), DedupWindow(DEDUP)
    for n in range(DEDUP):
        dedup.repeated("movies", f"before-{n}", f"user-{n}")
    assert isinstance(arms.full.network, Contest)
    beginnings = timing_beginnings(arms.full.network)
    for number in range(ROUNDS + 1):
        steps, networks = [], []
        for n, event in enumerate(some_events(users, EVENTS if number else 100, rng)):
            with Timed() as step:
                arms.step(event)
                dedup.repeated(event.domain, f"{number}-{n}", event.user)
                outbox._remember("books", arms.full.users.get(event.user) or 0, list(range(50)), START)
            steps.append(step)
            if n % 256 == 255:
                with Timed() as step:
                    arms.end_batch()
                networks.append(step)
            checkpointer.poll()
        checkpointer.poll(wait=True)
        with Timed() as stop:
            live = {"arms": arms.live(), "outbox": outbox.live([]), "dedup": dedup.live()}
            checkpointer.take(live, {})
        print(f"checkpoint {number} after {len(steps):,} events: the stream stops for {stop}")
        for what, times in (("event", steps), ("network step", networks), ("rival's beginning", beginnings)):
            if times:
                print(f"  longest {what}: {max(times, key=lambda one: one.cpu)}")
        beginnings.clear()
    checkpointer.poll(wait=True)
    checkpointer.close()
    for path in sorted(folder.glob("*/")):
        size = sum(file.stat().st_size for file in path.iterdir())
        print(f"{path.name}: {size / 1e6:.1f} MB")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
