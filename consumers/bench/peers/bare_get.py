"""Measure a contestant: a bare redis-py `GET` of the same values, not decoded.

Fields of the task: `url` of a store, `seconds`.
"""

from __future__ import annotations

from typing import Any

import redis

from consumers.bench.parts.some_lists import DOMAIN, a_list, fill, latency
from consumers.bench.parts.task import Task, answer
from serving.contract import Keys


def measure(task: Task) -> dict[str, Any]:
    """Get one user's list at a time."""
    fill(task.url)
    keys = Keys()
    with redis.Redis.from_url(task.url, legacy_responses=False) as client:
        found = latency(lambda user: client.get(keys.recommendations(user, DOMAIN)), task.seconds)
    return {"bytes": len(a_list()), **found}


if __name__ == "__main__":
    answer(measure)
