"""Measure a contestant: what an own event costs a shard, and what a fact of another shard's event costs it.

Fields of the task: `data`, `events`, `seconds`, `batch`, `folded`. The first half of the events is warm-up. A fact is
unpacked, counted for the arms, and folded into the shared tables; what Kafka's client takes comes on top.
"""

from __future__ import annotations

from typing import Any

from consumers.bench.parts.learning import NETWORK_EVENTS, make_arms
from consumers.bench.parts.stream import load
from consumers.bench.parts.task import Task, answer
from consumers.bench.parts.timing import Timed
from models.arms.arm_comparison import ArmComparison
from models.arms.fact_exchange import judge, outgoing
from models.schema import Interaction
from models.sharing.applied import Applied
from models.sharing.joining import batches
from models.sharing.packing import pack, unpack
from models.sharing.shared_facts import Place

CHUNK = 256
"""Events that one shard learns before another folds them, in turn, so that both measure the same stream."""


def measure(task: Task) -> dict[str, Any]:
    """Let one shard learn the stream and another fold its facts."""
    stream = load(task.data, task.events)
    own, other = make_arms(stream), make_arms(stream)
    own.shares = other.shares = True
    applied, half = Applied(), len(stream.events) // 2
    spent = {"own": 0.0, "fold": 0.0, "unpack": 0.0, "bytes": 0.0}
    measured = 0
    for start in range(0, len(stream.events), CHUNK):
        events = stream.events[start : start + CHUNK]
        with Timed() as learning:
            records = _learn(own, events, start, task.batch)
        with Timed() as unpacking:
            shared = [unpack(record) for record in records]
        with Timed() as folding:
            for one in batches(shared, task.folded):
                judge(other, one)
                other.full.fold(applied.claim_new(one))
        other.full.rows.forget_evictions()
        if start >= half:
            measured += len(events)
            spent["own"] += learning.cpu
            spent["unpack"] += unpacking.cpu
            spent["fold"] += folding.cpu
            spent["bytes"] += sum(map(len, records)) / 1e6
        if spent["own"] > task.seconds:
            break
    each = {name: 1e6 * value / max(measured, 1) for name, value in spent.items()}
    foreign = each["unpack"] + each["fold"]
    return {
        "events": measured,
        "batch": task.batch,
        "own_us": each["own"],
        "unpack_us": each["unpack"],
        "foreign_us": foreign,
        "bytes": each["bytes"],
        "shards": {str(n): _events_per_second(n, each["own"], foreign) for n in (2, 4, 8, 16)},
    }


def _learn(arms: ArmComparison, events: list[Interaction], start: int, size: int) -> list[bytes]:
    """Learn the events, and return the records of their facts, one a micro-batch."""
    records = []
    for at in range(0, len(events), size):
        batch = events[at : at + size]
        arms.learn(batch)
        places = [Place("events", 0, start + at + n) for n in range(len(batch))]
        records.append(pack(outgoing(arms, batch, places)))
        if arms.full.waiting >= NETWORK_EVENTS:
            arms.end_batch()
    arms.full.rows.forget_evictions()
    return records


def _events_per_second(shards: int, own: float, foreign: float) -> float:
    """Return the events that this many shards of one core each learn together: N / (a + (N - 1) f). Times in µs."""
    return shards * 1e6 / (own + (shards - 1) * foreign)


if __name__ == "__main__":
    answer(measure)
