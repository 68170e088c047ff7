"""Measure a contestant: the bytes of a resident user and of a resident item after a stream, by table.

Fields of the task: `data`, `events`. Every user is given a list in every domain, as `run` would.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from consumers.bench.parts.learning import learn, make_arms
from consumers.bench.parts.sizes import table_bytes
from consumers.bench.parts.stream import load
from consumers.bench.parts.task import Task, answer
from models.arms.arm_comparison import ArmComparison
from models.threads import use_one_thread
from serving.contract import Keys
from serving.publication.publication_queue import PublicationQueue

BATCH, TOP = 256, 50
WHOLE = 100_000
"""Events of a stream. Every n-th is learned, so that all its users are there, as after the whole stream."""


def measure(task: Task) -> dict[str, Any]:
    """Learn the stream, then count the bytes of all tables, with those of the target-only arm."""
    use_one_thread()
    stream = load(task.data, WHOLE)
    arms = make_arms(stream)
    events = stream.events[:: max(1, len(stream.events) // task.events)]
    learn(arms, events, BATCH)
    return {"events": len(events), **figures(arms, with_lists(arms))}


def figures(arms: ArmComparison, queue: PublicationQueue) -> dict[str, Any]:
    """Return rows, bytes a row in all and by table, and the bytes that no row owns."""
    found = table_bytes([arms.full.live(), queue.live([])])
    users, items = len(arms.full.users), sum(len(catalogue.ids) for catalogue in arms.full.catalogues)
    by_user, by_item, shared = Counter[str](), Counter[str](), 0
    for (owner, name), size in found.items():
        if owner == "shared":
            shared += size
        else:
            table, rows = (by_user, users) if owner == "user" else (by_item, items)
            table[name] += round(size / max(rows, 1))
    return {
        "users": users,
        "items": items,
        "user_bytes": by_user.total(),
        "item_bytes": by_item.total(),
        "user_tables": dict(by_user.most_common()),
        "item_tables": dict(by_item.most_common()),
        "shared_bytes": shared,
    }


def with_lists(arms: ArmComparison) -> PublicationQueue:
    """Return a publication queue that has published 50 items to every user in every domain."""
    queue = PublicationQueue(arms, Keys(), time.time)
    for domain in arms.full.domains:
        size = min(TOP, len(arms.full.catalogues[arms.full.index[domain.name]].ids))
        for _, row in sorted(arms.full.users.items()):
            queue.index.write(domain.name, row, list(range(size)), time.time())
    return queue


if __name__ == "__main__":
    answer(measure)
