"""kill -9 at fifty moments, in every stage. Not part of `make test`: `make soak`."""

from __future__ import annotations

import pytest

from tests.integration.test_end_to_end import World, world  # noqa: F401  (a fixture)
from tests.support.killing import Storm

KILLS = 50


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_fifty_kills_lose_nothing_and_learn_nothing_twice(world: World) -> None:  # noqa: F811
    """Every event counts exactly once, every dead letter appears at least once with equal headers."""
    storm = Storm(world, seed=50)
    storm.run(KILLS)
    print(*(f"{what}: {n}" for what, n in sorted(storm.hits.items())), sep="\n")  # noqa: T201  the soak's figures
    in_writes = sum(n for what, n in storm.hits.items() if "half a checkpoint" in what)
    assert in_writes >= KILLS // 10, f"too few kills met a checkpoint being written: {storm.hits}"
