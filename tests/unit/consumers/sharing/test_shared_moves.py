"""What shards share beside facts: how events moved the ranker's weights, and biases that the first one takes up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models.adaptation.challengers import FreshBias
from models.sharing.packing import unpack
from tests.unit.consumers.sharing.test_shard import Shard


def weights(shard: Shard) -> np.ndarray:
    return shard.arms.full.ranker.choices[0].weights.copy()


def learn(shard: Shard, first: int, last: int) -> None:
    for n in range(first, last):
        shard.learn(n, user=f"user-{n % 7}", item=f"m{n * 7 % 11}")


def test_all_shards_move_the_weights_alike(make: Callable[[int], Shard]) -> None:
    one, two = make(0), make(1)
    prior = weights(one)
    learn(one, 0, 30)
    assert np.abs(weights(one) - prior).max() > 0.001
    one.share()
    two.share()
    np.testing.assert_allclose(weights(two), weights(one), atol=1e-4)
    moved = weights(one)
    one.share()
    assert (weights(one) == moved).all(), "its own moves come back, and count once"


def test_after_a_crash_moves_count_once(make: Callable[[int], Shard]) -> None:
    """They were sent before it, and no checkpoint holds them: they are read, and the events then move nothing."""
    first, two = make(0), make(1)
    learn(first, 0, 10)
    first.share()
    state, arms = first.sharing.state(), first.arms.state()
    learn(first, 10, 20)
    first.share()
    two.share()
    again = make(0)
    again.arms.load(arms)
    again.sharing.load(state)
    again.sharing.start()
    np.testing.assert_allclose(weights(again), weights(first), atol=1e-4)
    moved = weights(again)
    learn(again, 10, 20)
    assert (weights(again) == moved).all()
    learn(again, 20, 30)
    assert (weights(again) != moved).any()
    again.share()
    two.share()
    np.testing.assert_allclose(weights(two), weights(again), atol=2e-4)


def test_a_state_is_taken_after_what_waits_has_left(make: Callable[[int], Shard]) -> None:
    one = make(0)
    learn(one, 0, 10)
    assert one.facts.sent == 0
    state = one.sharing.state()
    assert one.facts.sent == 1
    assert state["moves"] == [[0, 1]]


def test_a_bias_that_one_takes_up_reaches_all_without_users(
    make: Callable[[int], Shard], records: list[bytes]
) -> None:
    one, two = make(0), make(1)
    learn(one, 0, 10)
    one.share()
    two.share()
    challenger = FreshBias("reset_domain", one.arms.full, 0)
    for name, weight in (
        ("item:movies:m1", 0.75),
        ("domain:movies", -0.5),
        ("user@domain:movies:user-1", 9.0),
    ):
        challenger.bias.cells.claim(name)[:] = weight, 0.25
    assert one.arms.loop is not None
    assert one.arms.loop.promoted is not None
    one.arms.loop.promoted.append(challenger.shared())
    before = {name: two.arms.full.rating.bias.weight(name) for name in ("item:movies:m1", "domain:movies")}
    one.learn(10, user="user-0", item="m2")
    one.share()
    two.share()
    bias = two.arms.full.rating.bias
    assert bias.weight("item:movies:m1") - before["item:movies:m1"] == pytest.approx(0.75, abs=0.1)
    assert bias.weight("domain:movies") - before["domain:movies"] == pytest.approx(-0.5, abs=0.1)
    found = unpack(records[-1]).moves
    assert found is not None
    assert set(found.biases[0].weights) == {"item:movies:m1", "domain:movies"}
    assert b"user-" not in repr(unpack(records[-1])).encode()


def test_a_bias_is_taken_up_once_and_ends_the_challenger_of_its_domain(make: Callable[[int], Shard]) -> None:
    """As after a crash, when the first shard reads what it took up itself."""
    one = make(0)
    learn(one, 0, 10)
    loop = one.arms.loop
    assert loop is not None
    challenger = FreshBias("reset_domain", one.arms.full, 0)
    loop.running["movies", "bias"] = challenger
    challenger.bias.cells.claim("domain:movies")[:] = 0.5, 0.25
    before = one.arms.full.rating.bias.weight("domain:movies")
    one.arms.take_up(challenger.shared())
    assert one.arms.full.rating.bias.weight("domain:movies") - before == pytest.approx(0.5)
    assert not loop.running
