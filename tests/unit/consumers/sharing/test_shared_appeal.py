"""What users of one shard are shown and click counts in the appeals of all shards, each once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models.schema import Impression, Interaction
from models.sharing.packing import pack, unpack
from models.sharing.shared_facts import NO_FACTS, Place, SharedMoves, Shows
from tests.unit.consumers.sharing.test_shard import START, TOPIC, Shard

ITEMS = tuple(f"m{n}" for n in range(5))


@pytest.fixture
def make(make: Callable[[int], Shard]) -> Callable[[int], Shard]:
    def made(index: int) -> Shard:
        shard = make(index)
        shard.learn(1000 * index)  # a user whom lists can be shown to
        for item in ITEMS:
            shard.arms.full.rows.item(0, item)
        return shard

    return made


def show(shard: Shard, offset: int, click: int | None = None) -> None:
    """Show the items at an offset of the shard's partition; click one of them at the next."""
    full, partition, at = shard.arms.full, shard.partition, START + 1000 * offset
    shown = Impression("movies", "ann", ITEMS, at)
    full.impressions.take(shown, full.catalogues[0], Place(TOPIC, partition, offset))
    if click is not None:
        event = Interaction("movies", "click", "ann", ITEMS[click], at + 1)
        full.impressions.answer(event, Place(TOPIC, partition, offset + 1))
    full.shown.learn()


def sums(shard: Shard) -> dict[str, list[float]]:
    """Return clicks and shows by item."""
    full = shard.arms.full
    rows = np.array([full.catalogues[0].ids.get(item) for item in ITEMS])
    columns = (full.appeal.column(0, name, rows).tolist() for name in ("clicks", "shows"))
    return dict(zip(ITEMS, map(list, zip(*columns, strict=True)), strict=True))


def test_shows_and_clicks_count_in_all_shards(make: Callable[[int], Shard]) -> None:
    one, two = make(0), make(1)
    for n in range(4):
        show(one, 10 + 2 * n, click=2)
    show(two, 10, click=0)
    for shard in (one, two, one):
        shard.share()
    expected = {item: [0.0, 5.0] for item in ITEMS} | {"m2": [4.0, 5.0], "m0": [1.0, 5.0]}
    assert sums(one) == sums(two) == expected
    rows = np.array([one.arms.full.catalogues[0].ids.get(item) for item in ITEMS])
    for name in ("expected", "clicks"):
        ours, theirs = (shard.arms.full.appeal.column(0, name, rows) for shard in (one, two))
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_they_leave_although_no_event_comes(make: Callable[[int], Shard]) -> None:
    one = make(0)
    one.share()
    sent = one.facts.sent
    show(one, 10)
    one.sharing.step()
    assert one.facts.sent == sent, "they wait until they are due"
    one.share()
    assert one.facts.sent == sent + 1
    one.share()
    assert one.facts.sent == sent + 1


def test_after_a_crash_they_count_once(make: Callable[[int], Shard]) -> None:
    """Some were sent before it, and no checkpoint holds them: they are read, and the log then adds only the others."""
    first, two = make(0), make(1)
    show(first, 10, click=1)
    state, arms = first.sharing.state(), first.arms.state()
    show(first, 12, click=1)
    first.share()
    show(first, 14, click=1)  # this one is lost with the process
    again = make(0)
    again.arms.load(arms)
    again.sharing.load(state)
    again.sharing.start()
    for offset in (12, 14, 16):
        show(again, offset, click=1)
    again.share()
    two.share()
    expected = {item: [0.0, 4.0] for item in ITEMS} | {"m1": [4.0, 4.0]}
    assert sums(again) == sums(two) == expected


def test_a_state_is_taken_after_they_have_left(make: Callable[[int], Shard]) -> None:
    one, two = make(0), make(1)
    show(one, 10)
    state = one.sharing.state()
    assert state["shown"] == [[TOPIC, 0, 11]]
    two.share()
    assert sums(two)["m0"] == [0.0, 1.0]


def test_what_is_unknown_here_is_left_out(make: Callable[[int], Shard]) -> None:
    """Of another config's domain nothing is taken, and a number that is none changes nothing."""
    one = make(0)
    before = sums(one)
    f4, u4 = np.ones(1, np.float32), np.ones(1, np.uint32)
    shows = [Shows("operas", ["m1"], f4, f4, u4), Shows("movies", ["m1"], f4, f4 * np.nan, u4)]
    moves = SharedMoves(1, 0, {}, [], shows, [(TOPIC, 1, 7)])
    found = unpack(pack(NO_FACTS._replace(moves=moves))).moves
    assert found is not None
    one.sharing._move(found)
    assert sums(one) == before


def test_damaged_columns_are_an_error() -> None:
    f4 = np.ones(2, np.float32)
    moves = SharedMoves(0, 0, {}, [], [Shows("movies", ["m1"], f4, f4, np.ones(2, np.uint32))])
    with pytest.raises(ValueError, match="lengths"):
        unpack(pack(NO_FACTS._replace(moves=moves)))


def test_no_user_leaves_a_shard(make: Callable[[int], Shard], records: list[bytes]) -> None:
    one = make(0)
    show(one, 10, click=1)
    one.share()
    assert all(b"ann" not in repr(unpack(record)).encode() for record in records)
