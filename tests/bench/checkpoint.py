"""Measure how long checkpoints, requests to forget and sold-out items stop the stream, and how long a start takes:
`python -m tests.bench.checkpoint [USERS [ROUNDS]]`.

A learner of two domains with 1,000,000 resident users and 50,000 items a domain (taste, history, biases, network
rows and lists in use, the dedup window full), then rounds of events, each followed by a checkpoint that is written
while events go on. A shadow network begins in the first or second round. The time that this adds to a step is
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
from pathlib import Path
from typing import Any

import numpy as np

from consumers.bench.filling.filled import START, filled, made, some_events
from consumers.bench.parts.learning import NETWORK_EVENTS
from consumers.bench.parts.timing import Timed
from consumers.erasure.eraser import Forgetting
from consumers.events.decode import Forget
from consumers.events.deduplication import DedupWindow
from consumers.service.saving.checkpointer import Checkpointer
from models.arms.arm_comparison import ArmComparison
from models.network.search.strategy_search import StrategySearch
from models.schema import Interaction
from models.state.checkpoint import CheckpointDirectory
from models.state.snapshot import mark_clean
from models.threads import use_one_thread
from serving.client.pseudonyms import Pseudonyms
from serving.publication.publication_queue import PublicationQueue

EVENTS, ROUNDS, DEDUP = 3_000, 3, 100_000
BATCH = 16


def timing_beginnings(search: StrategySearch) -> list[Timed]:
    """Return a list that gets the seconds in which each shadow network begins, from now on."""
    begin, taken = search._begin, list[Timed]()

    def timed(step: int) -> None:
        with Timed() as time_taken:
            begin(step)
        if search.shadow is not None:
            taken.append(time_taken)

    search._begin = timed  # type: ignore[method-assign]
    return taken


def live(arms: ArmComparison, queue: PublicationQueue, forgetting: Forgetting) -> dict[str, Any]:
    return {"arms": arms.live(), "outbox": queue.live([]), "marks": forgetting.index.live()}


def forget_and_sell_out(
    arms: ArmComparison, queue: PublicationQueue, forgetting: Forgetting, checkpointer: Checkpointer
) -> None:
    stops = []
    for n in range(20):
        with Timed() as stop:
            forgetting.take(Forget(Pseudonyms().mark(f"user-{7 * n}"), 1))
            forgetting.erase()
        stops.append(stop)
    checkpointer.purge_older()
    print(f"20 requests to forget: the longest stops the stream for {max(stops, key=lambda one: one.thread)}")
    with Timed() as stop:
        checkpointer.take(live(arms, queue, forgetting), {})
    print(f"the checkpoint after them: {stop}")
    checkpointer.poll(wait=True)
    with Timed() as stop:
        for n in range(1000):
            queue.item("books", f"b{n}", False, False)
    print(f"1,000 items sold out, on {queue.backlog():,} places: {stop}")


def start(folder: Path, users: int) -> None:
    """Load the newest checkpoint into new learners, and print the time that it took."""
    arms, queue = made(users)
    forgetting = Forgetting(Pseudonyms().mark, arms, queue, DedupWindow(0), None, lambda: START)
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
            queue.load(state["outbox"])
        print(f"  lists in {part}")
        with Timed() as part:
            mark_clean(live(arms, queue, forgetting), state)
        print(f"  compared in {part}")
    print(f"  in all {whole}")


def learn(
    events: list[Interaction],
    number: int,
    parts: tuple[ArmComparison, PublicationQueue, DedupWindow, Checkpointer],
) -> tuple[list[Timed], list[Timed]]:
    """Learn a round of events; return the times of its micro-batches and of its network steps."""
    arms, queue, dedup, checkpointer = parts
    steps, networks = list[Timed](), list[Timed]()
    for n in range(0, len(events), BATCH):
        batch = events[n : n + BATCH]
        with Timed() as step:
            arms.learn(batch)
            for event in batch:
                dedup.repeated(event.domain, f"{number}-{event.timestamp}", event.user)
                row = arms.full.users.get(event.user) or 0
                queue.index.write("books", row, list(range(50)), START)
        steps.append(step)
        if n % NETWORK_EVENTS == NETWORK_EVENTS - BATCH:
            with Timed() as step:
                arms.end_batch()
            networks.append(step)
        checkpointer.poll()
    return steps, networks


def main() -> None:
    use_one_thread()
    users, rounds = (int(given) for given in [*sys.argv[1:], 1_000_000, ROUNDS][:2])
    begun = time.perf_counter()
    arms, queue = filled(users)
    print(f"{users:,} users filled in {time.perf_counter() - begun:.0f} s")
    folder = Path(tempfile.mkdtemp(prefix="checkpoints-"))
    checkpointer = Checkpointer(
        folder, 10.0, lambda _offsets, seconds: print(f"  written in {seconds:.1f} s")
    )
    forgetting = Forgetting(Pseudonyms().mark, arms, queue, DedupWindow(0), None, lambda: START)
    rng, dedup = np.random.default_rng(1), DedupWindow(DEDUP)
    for n in range(DEDUP):
        dedup.repeated("movies", f"before-{n}", f"user-{n}")
    assert arms.full.network.search is not None
    beginnings = timing_beginnings(arms.full.network.search)
    for number in range(rounds + 1):
        events = some_events(users, EVENTS if number else 100, rng)
        steps, networks = learn(events, number, (arms, queue, dedup, checkpointer))
        checkpointer.poll(wait=True)
        with Timed() as stop:
            checkpointer.take(live(arms, queue, forgetting) | {"dedup": dedup.live()}, {})
        print(f"checkpoint {number} after {len(events):,} events: the stream stops for {stop}")
        for what, times in (
            ("micro-batch", steps),
            ("network step", networks),
            ("rival's beginning", beginnings),
        ):
            if times:
                print(f"  longest {what}: {max(times, key=lambda one: one.thread)}")
        beginnings.clear()
    checkpointer.poll(wait=True)
    forget_and_sell_out(arms, queue, forgetting, checkpointer)
    checkpointer.close()
    del arms, queue, forgetting, beginnings
    start(folder, users)
    for path in sorted(folder.glob("*/")):
        size = sum(file.stat().st_size for file in path.iterdir())
        print(f"{path.name}: {size / 1e6:.1f} MB")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
