"""How long a checkpoint stops the stream, and what it writes: `python -m tests.bench.checkpoint [USERS]`.

A learner of two domains with 1,000,000 resident users and 100,000 items a domain (taste, history, biases, network
rows and lists in use), then rounds of events, each followed by a checkpoint that is written while events go on.
Needs about 12 GB of memory and as much room in TMPDIR for 1,000,000 users.
"""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from consumers.checkpointer import Checkpointer
from models.arms import Arms
from models.bias import Bias
from models.interaction import Domain, Interaction
from models.settings import LearnerSettings
from models.threads import use_one_thread
from serving.outbox import Outbox
from serving.records import Keys

ITEMS, EVENTS, ROUNDS = 100_000, 3_000, 3
DOMAINS = ("movies", "books")
START = 1_700_000_000.0


def filled(users: int) -> tuple[Arms, Outbox]:
    """Every user with ten seen items, a taste, biases, a network row and a published list."""
    domains = [Domain("movies", "source", recommend=False), Domain("books", "target")]
    arms = Arms(domains, LearnerSettings(users=users, items_per_domain=ITEMS, compare=False))
    outbox = Outbox(arms, Keys(), lambda: START)
    full, rng = arms.full, np.random.default_rng(0)
    for d, name in enumerate(DOMAINS):
        catalogue = full.catalogues[d]
        vectors = rng.standard_normal((ITEMS, catalogue.dim), np.float32) / 8
        for n in range(ITEMS):
            row = full._item_row(d, f"{name[0]}{n}")
            catalogue.vectors[row], catalogue.has_vector[row] = vectors[n], True
        full._set_vector(d, 0, vectors[0])
    drawn = rng.integers(0, ITEMS, (users, 2))
    listed = list(range(50))
    for n in range(users):
        user = f"user-{n}"
        row = full._user_row(user)
        full.rating.taste.advance(row, START)
        for d, name in enumerate(DOMAINS):
            item = int(drawn[n, d])
            full.history.add(row, d, item, f"{name[0]}{item}", START)
            full.rating.bias.learn(Bias.inputs(name, user, f"{name[0]}{item}"), 0.1, 2.0)
        outbox._remember("books", row, listed, START)
    full.network._users.reserve(users)
    for choice in full.ranker.choices:
        choice.users = np.zeros((users, 2, choice.signals), np.float32)
    return arms, outbox


def some_events(users: int, count: int, rng: np.random.Generator) -> list[Interaction]:
    """Users at random, items by a power law."""
    items = np.minimum(rng.zipf(1.2, count) - 1, ITEMS - 1)
    return [
        Interaction(DOMAINS[n % 2], "rating", f"user-{u}", f"{DOMAINS[n % 2][0]}{i}", int(START * 1000) + n, 4.0)
        for n, (u, i) in enumerate(zip(rng.integers(0, users, count).tolist(), items.tolist(), strict=True))
    ]


def main() -> None:
    use_one_thread()
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    begun = time.perf_counter()
    arms, outbox = filled(users)
    print(f"{users:,} users filled in {time.perf_counter() - begun:.0f} s")  # noqa: T201
    folder = Path(tempfile.mkdtemp(prefix="checkpoints-"))
    checkpointer = Checkpointer(folder, 10.0, lambda _offsets, seconds: print(f"  written in {seconds:.1f} s"))  # noqa: T201
    rng = np.random.default_rng(1)
    live = getattr(arms, "live", arms.state)
    box = getattr(outbox, "live", outbox.state)
    for number in range(ROUNDS + 1):
        longest = 0.0
        for n, event in enumerate(some_events(users, EVENTS if number else 100, rng)):
            begun = time.perf_counter()
            arms.step(event)
            if n % 256 == 255:
                arms.end_batch()
            longest = max(longest, time.perf_counter() - begun)
            checkpointer.poll()
        checkpointer.poll(wait=True)
        begun = time.perf_counter()
        checkpointer.take({"arms": live(), "outbox": box([])}, {})
        stop = time.perf_counter() - begun
        print(f"checkpoint {number}: stops the stream {stop * 1e3:.0f} ms; longest step before it {longest * 1e3:.0f} ms")  # noqa: T201
    checkpointer.poll(wait=True)
    checkpointer.close()
    for path in sorted(folder.glob("*/")):
        size = sum(file.stat().st_size for file in path.iterdir())
        print(f"{path.name}: {size / 1e6:.1f} MB")  # noqa: T201
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")  # noqa: T201
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
