"""What the process that trains the network of all shards does a second: `python -m tests.bench.network_role [EVENTS]`.

The events of `tests/bench/network_step.py` (60,000 unless said; half are ratings) as the facts of shards, 32 events a
record. CPU time of one thread, of the second half of the events. It reads the records' bytes, takes steps as many
events as wait allow, and publishes weights after every 2,000 events, which is a second of a busy service; what Kafka's
client takes comes on top. Then what a shard pays to take in a publication.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import numpy as np

from models.arms.arm_comparison import ArmComparison
from models.arms.fact_exchange import outgoing
from models.learning.exchange.network_exchange import NetworkPublisher, take_in
from models.learning.learner import Learner
from models.schema import Interaction
from models.settings import AdaptationSettings, LearningSettings
from models.sharing.joining import batches
from models.sharing.packing import pack, unpack
from models.sharing.shared_facts import Place
from models.threads import use_one_thread
from tests.bench.network_step import DOMAINS, ITEMS, USERS, stream

RECORD, TURN, PUBLISH = 32, 1_024, 2_000
"""Events of a record, events that are taken in one turn, and events between two publications."""


def events(count: int) -> list[Interaction]:
    columns = stream(count)
    made = []
    for n in range(count):
        domain, value = DOMAINS[int(columns.domain[n])], float(columns.residual[n])
        rating = None if np.isnan(value) else float(np.clip(round(3 + value), 1, 5))
        kind = "click" if rating is None else "rating"
        user, item = f"u{columns.user[n]}", f"{domain.name}-{columns.item[n]}"
        made.append(Interaction(domain.name, kind, user, item, int(1000 * columns.time[n]), rating))
    return made


def records(count: int, settings: LearningSettings) -> Iterator[bytes]:
    """Yield the facts of a shard that learns the events."""
    shard, made = ArmComparison(DOMAINS, settings, follows=True, leads=False), events(count)
    for start in range(0, count, RECORD):
        batch = made[start : start + RECORD]
        shard.learn(batch)
        yield pack(outgoing(shard, batch, [Place("events", 0, start + n) for n in range(len(batch))]))


class Spent:
    """CPU seconds by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = 0.0

    def begin(self) -> None:
        self._since = time.process_time()

    def end(self, part: str) -> None:
        self.seconds[part] = self.seconds.get(part, 0.0) + time.process_time() - self._since
        self.begin()


def main() -> None:
    use_one_thread()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    settings = LearningSettings(
        users=USERS, items_per_domain=ITEMS, threads=1, adaptation=AdaptationSettings("auto")
    )
    facts = list(records(count, settings))
    role, shard = Learner(DOMAINS, settings), Learner(DOMAINS, settings, follows=True)
    publisher, spent, taken = NetworkPublisher(role), Spent(), Spent()
    measured, published, sizes = 0, 0, list[int]()
    step = TURN // RECORD
    for turn in range(0, len(facts), step):
        if turn * RECORD == (count // 2) // TURN * TURN:
            spent, taken, measured, sizes = Spent(), Spent(), 0, []
        spent.begin()
        for one in batches(unpack(record) for record in facts[turn : turn + step]):
            role.gather(one)
            measured += one.size
        role.rows.forget_evictions()
        spent.end("gather")
        role.end_batch()
        spent.end("step")
        if measured - published >= PUBLISH or measured < published:
            published = measured
            new = list(publisher.records(0, publisher.texts()))
            spent.end("publish")
            sizes.append(sum(len(record.value) for record in new))
            taken.begin()
            for record in new:
                take_in(shard, record.value)
            taken.end("take in")
    total = sum(spent.seconds.values())
    print(f"{measured / total:,.0f} events a second of one core, of {measured:,} events")
    for part, seconds in spent.seconds.items():
        print(f"  {part:8} {1e6 * seconds / measured:6.1f} µs an event")
    print(f"a publication: {np.median(sizes) / 1e3:,.0f} KB, taken in by a shard in", end=" ")
    print(f"{1e3 * taken.seconds['take in'] / len(sizes):.1f} ms")


if __name__ == "__main__":
    main()
