"""Measure a contestant: `Reader.recommend` of a list of 50, which fetches the fallback in the same round trip.

Fields of the task: `url` of a store, `seconds`.
"""

from __future__ import annotations

from typing import Any

from consumers.bench.parts.some_lists import DOMAIN, TOP, fill, latency
from consumers.bench.parts.task import Task, answer
from serving.client import Reader


def measure(task: Task) -> dict[str, Any]:
    """Read one user's list at a time."""
    fill(task.url)
    reader = Reader(task.url)
    return latency(lambda user: reader.recommend(user, DOMAIN, TOP), task.seconds)


if __name__ == "__main__":
    answer(measure)
