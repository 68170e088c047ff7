"""Kill the service with -9 at fifty moments, in every stage. Only `make soak` runs it."""

from __future__ import annotations

import pytest

from tests.support.service.killing import Storm
from tests.support.service.service_world import World

KILLS = 50


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_fifty_kills_lose_nothing_and_learn_nothing_twice(world: World) -> None:
    """Every event counts exactly once, every dead letter appears at least once with equal headers."""
    storm = Storm(world, seed=50)
    storm.run(KILLS)
    print(*(f"{what}: {n}" for what, n in sorted(storm.hits.items())), sep="\n")  # noqa: T201  the soak's figures
    in_writes = sum(n for what, n in storm.hits.items() if "half a checkpoint" in what)
    assert in_writes >= KILLS // 10, f"too few kills met a checkpoint being written: {storm.hits}"
