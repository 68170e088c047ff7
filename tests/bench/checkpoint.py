"""How long checkpoints, requests to forget and sold-out items stop the stream, and how long a start takes:
`python -m tests.bench.checkpoint [USERS [ROUNDS]]`.

A learner of two domains with 1,000,000 resident users and 50,000 items a domain (taste, history, biases, network
rows and lists in use, the dedup window full), then rounds of events, each followed by a checkpoint that is written
while events go on. A rival of the network begins in the first or second round: what its beginning adds to a step is
measured too. Then users are forgotten, items sold out, and the newest checkpoint is read by a new learner.
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
from pathlib import Path
from typing import Any

import numpy as np
from river.utils import VectorDict

from consumers.erasure.eraser import Forgetting
from consumers.events.decode import Forget
from consumers.events.deduplication import DedupWindow
from consumers.service.checkpoint_writer import Checkpointer
from models.arm_comparison import Arms
from models.learner import Learner
from models.network.strategy_search import StrategySearch
from models.schema import Domain, Interaction
from models.settings import LearningSettings
from models.signals.covisitation import KINDS, CoVisitation
from models.state.checkpoint import CheckpointDirectory
from models.state.snapshot import settle
from models.threads import use_one_thread
from serving.contract import Keys
from serving.pseudonyms import Pseudonyms
from serving.publication.publication_queue import Outbox

ITEMS, EVENTS, ROUNDS, DEDUP = 50_000, 3_000, 3, 100_000
DOMAINS = ("movies", "books")
START = 1_700_000_000.0


def filled(users: int) -> tuple[Arms, Outbox]:
    """Every user with ten seen items a domain, a taste, biases and a published list; every item with
    64 neighbours. The tables are filled directly: a stream would take an hour."""
    arms, outbox = made(users)
    full, rng = arms.full, np.random.default_rng(0)
    for d, name in enumerate(DOMAINS):
        catalogue = full.catalogues[d]
        for n in range(ITEMS):
            full._item_row(d, f"{name[0]}{n}")
        catalogue.vectors[:] = rng.standard_normal(catalogue.vectors.shape, np.float32) / 8
        catalogue.has_vector[:ITEMS] = True
        catalogue.set_vector(0, catalogue.vectors[0].copy())
    ids = [f"user-{n}" for n in range(users)]
    for user in ids:
        full.users.touch(user)
    fill_rating(full, ids)
    fill_history(full, users)
    fill_visits(full.ranker.statistics.visits)
    for choice in full.ranker.choices:
        choice.users = np.full((users, 2, choice.signals), 0.1, np.float32)
    fill_lists(outbox, users)
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


def fill_lists(outbox: Outbox, users: int) -> None:
    """Everybody's list holds 50 of the 1,000 most popular items."""
    starts = np.random.default_rng(3).integers(0, 950, (users, 1), dtype=np.int32)
    held = starts + np.arange(1, 51, dtype=np.int32)
    outbox._index.load({"on_lists": {"books": held}, "written_at": np.full(users, START)})


def fill_visits(visits: CoVisitation) -> None:
    slots = len(DOMAINS) * ITEMS
    visits.used = slots
    visits.slot_of = [np.arange(1, ITEMS + 1, dtype=np.int32) + d * ITEMS for d in range(len(DOMAINS))]
    visits.domain_of = np.repeat(np.arange(len(DOMAINS), dtype=np.int8), ITEMS)
    visits.row_of = np.tile(np.arange(ITEMS, dtype=np.int32), len(DOMAINS))
    neighbours = np.random.default_rng(2).integers(0, slots, slots * 64).astype(np.int32)
    at = (np.arange(slots)[:, None] * visits.lists.most + np.arange(64)).reshape(-1)
    weights = np.ones((len(at), len(KINDS)), np.float32)
    visits.lists.load({"at": at, "ids": neighbours, "weights": weights}, slots)
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


def timing_beginnings(search: StrategySearch) -> list[Timed]:
    """How long each rival took to begin, from now on."""
    begin, taken = search._begin, list[Timed]()

    def timed(step: int) -> None:
        with Timed() as time_taken:
            begin(step)
        if search.shadow is not None:
            taken.append(time_taken)

    search._begin = timed  # type: ignore[method-assign]
    return taken


def live(arms: Arms, outbox: Outbox, forgetting: Forgetting) -> dict[str, Any]:
    return {"arms": arms.live(), "outbox": outbox.live([]), "marks": forgetting.index.live()}


def made(users: int) -> tuple[Arms, Outbox]:
    domains = [Domain("movies", "source", recommend=False), Domain("books", "target")]
    arms = Arms(domains, LearningSettings(users=users, items_per_domain=ITEMS, compare=False))
    return arms, Outbox(arms, Keys(), lambda: START)


def forget_and_sell_out(
    arms: Arms, outbox: Outbox, forgetting: Forgetting, checkpointer: Checkpointer
) -> None:
    stops = []
    for n in range(20):
        with Timed() as stop:
            forgetting.take(Forget(Pseudonyms().mark(f"user-{7 * n}"), 1))
            forgetting.erase()
        stops.append(stop)
    checkpointer.drop_older()
    print(f"20 requests to forget: the longest stops the stream for {max(stops, key=lambda one: one.cpu)}")
    with Timed() as stop:
        checkpointer.take(live(arms, outbox, forgetting), {})
    print(f"the checkpoint after them: {stop}")
    checkpointer.poll(wait=True)
    with Timed() as stop:
        for n in range(1000):
            outbox.item("books", f"b{n}", False, False)
    print(f"1,000 items sold out, on {outbox.backlog():,} places: {stop}")


def start(folder: Path, users: int) -> None:
    """What a new process does with the newest checkpoint."""
    arms, outbox = made(users)
    forgetting = Forgetting(Pseudonyms().mark, arms, outbox, DedupWindow(0), None, lambda: START)
    with Timed() as whole:
        with Timed() as part:
            state, _ = CheckpointDirectory(folder, read_only=True).load()
        assert state is not None
        print(f"start: read and merged in {part}")
        with Timed() as part:
            arms.load(state["arms"])
            forgetting.index.load(state["marks"])
        print(f"  learners in {part}")
        with Timed() as part:
            outbox.load(state["outbox"])
        print(f"  lists in {part}")
        with Timed() as part:
            settle(live(arms, outbox, forgetting), state)
        print(f"  compared in {part}")
    print(f"  in all {whole}")


def main() -> None:
    use_one_thread()
    users, rounds = (int(given) for given in [*sys.argv[1:], 1_000_000, ROUNDS][:2])
    begun = time.perf_counter()
    arms, outbox = filled(users)
    print(f"{users:,} users filled in {time.perf_counter() - begun:.0f} s")
    folder = Path(tempfile.mkdtemp(prefix="checkpoints-"))
    checkpointer = Checkpointer(
        folder, 10.0, lambda _offsets, seconds: print(f"  written in {seconds:.1f} s")
    )
    forgetting = Forgetting(Pseudonyms().mark, arms, outbox, DedupWindow(0), None, lambda: START)
    rng, dedup = np.random.default_rng(1), DedupWindow(DEDUP)
    for n in range(DEDUP):
        dedup.repeated("movies", f"before-{n}", f"user-{n}")
    assert arms.full.network.search is not None
    beginnings = timing_beginnings(arms.full.network.search)
    for number in range(rounds + 1):
        steps, networks = [], []
        for n, event in enumerate(some_events(users, EVENTS if number else 100, rng)):
            with Timed() as step:
                arms.step(event)
                dedup.repeated(event.domain, f"{number}-{n}", event.user)
                row = arms.full.users.get(event.user) or 0
                outbox._index.write("books", row, list(range(50)), START)
            steps.append(step)
            if n % 256 == 255:
                with Timed() as step:
                    arms.end_batch()
                networks.append(step)
            checkpointer.poll()
        checkpointer.poll(wait=True)
        with Timed() as stop:
            checkpointer.take(live(arms, outbox, forgetting) | {"dedup": dedup.live()}, {})
        print(f"checkpoint {number} after {len(steps):,} events: the stream stops for {stop}")
        for what, times in (("event", steps), ("network step", networks), ("rival's beginning", beginnings)):
            if times:
                print(f"  longest {what}: {max(times, key=lambda one: one.cpu)}")
        beginnings.clear()
    checkpointer.poll(wait=True)
    forget_and_sell_out(arms, outbox, forgetting, checkpointer)
    checkpointer.close()
    del arms, outbox, forgetting, beginnings
    start(folder, users)
    for path in sorted(folder.glob("*/")):
        size = sum(file.stat().st_size for file in path.iterdir())
        print(f"{path.name}: {size / 1e6:.1f} MB")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
