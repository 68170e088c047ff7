"""Times at the end of a topic of items decide, without Kafka, when it must be read anew."""

from __future__ import annotations

import pytest

from consumers.source.watch.compacted_items import CompactedItems
from tests.support.clock import Clock

ONE, TWO, OTHER = ("items.a", 0), ("items.a", 1), ("interactions.a", 0)
KEPT = 1000.0


class World:
    """Return a topic with two partitions that keeps removals for 1,000 s; below 60 s nothing matters while it runs."""

    def __init__(self) -> None:
        self.clock = Clock(50_000.0)
        self.items = CompactedItems({"items.a": KEPT}, 60.0, self.clock)

    def read(self, *ends: int, learned: int | None = None) -> None:
        """Report the ends of both partitions, and learn all (or `learned`) records. A new reading begins at 0."""
        for place, end in zip((ONE, TWO), ends, strict=True):
            self.items.ends_at(place, end)
        self.learn(*(ends if learned is None else (learned, learned)))

    def learn(self, *offsets: int, position: int | None = None) -> list[tuple[str, int]]:
        at = dict(zip((ONE, TWO), offsets, strict=True))
        return self.items.learned(at, lambda place: at[place] if position is None else position)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(("ago", "anew"), [(800.0, False), (899.0, False), (901.0, True), (None, True)])
def test_a_start(world: World, ago: float | None, anew: bool) -> None:
    """A tenth of the time is a margin for different clocks. An unknown time was too long ago."""
    ends = {ONE: world.clock.now - 1} | ({} if ago is None else {TWO: world.clock.now - ago})
    assert world.items.start({ONE: 5, TWO: 5, OTHER: 5}, ends) == ({"items.a"} if anew else set())
    assert world.items.at_end() == ends


def test_a_first_start_reads_from_the_beginning_anyway(world: World) -> None:
    """A new topic, also for a checkpoint from files, has no offset and is not read anew."""
    assert world.items.start({OTHER: 5}, {}) == set()
    world.read(3, 4)
    assert world.items.at_end() == {ONE: world.clock.now, TWO: world.clock.now}


def test_the_time_is_that_at_which_the_end_was_told(world: World) -> None:
    """The time counts once all records of then are learned, so a growing topic has such times too."""
    began = world.clock.now
    world.items.start({}, {})
    for n in range(5):
        world.read(10 * n + 10, 10 * n + 10, learned=10 * n)
        world.clock.now += 10
    assert world.items.at_end() == {ONE: began + 20, TWO: began + 20}


def test_a_crash_before_the_end_begins_again(world: World) -> None:
    """Until both partitions are learned to the end they had, the old times stay."""
    old = {ONE: 1.0, TWO: 2.0}
    world.items.start({ONE: 5, TWO: 5}, old)
    world.read(5, 5, learned=4)
    assert (world.items.anew, world.items.at_end()) == ({"items.a"}, old)
    world.learn(5, 4)
    assert (world.items.anew, world.items.anew_at_start, world.items.at_end()) == (
        {"items.a"},
        {"items.a"},
        old,
    )
    world.learn(5, 5)
    assert (world.items.anew, world.items.anew_at_start) == (set(), set())
    assert world.items.at_end() == {ONE: world.clock.now, TWO: world.clock.now}


@pytest.mark.parametrize("learned", [{}, {ONE: 5, TWO: 5}])
def test_a_reading_that_takes_long_is_not_begun_again(
    world: World, learned: dict[tuple[str, int], int]
) -> None:
    """A slow reading, the first or a repeated one, is not begun again, because it would never end."""
    world.items.start(learned, {})
    world.read(5, 5, learned=0)
    world.clock.now += 10 * KEPT
    world.learn(5, 5)
    for _ in range(3):
        world.clock.now += 1
        world.read(5, 5)
        assert (world.items.anew, world.items.late) == (set(), set())


def test_learning_that_is_held_up(world: World) -> None:
    """A topic is late if its end was reported in time, but records before it were read too late."""
    world.items.start({}, {})
    world.read(5, 5)
    world.clock.now += 1
    world.read(9, 9, learned=5)
    world.clock.now += KEPT
    assert world.learn(9, 9) == [ONE, TWO]
    assert world.items.anew == {"items.a"}


@pytest.mark.parametrize(("pause", "late"), [(899.0, False), (901.0, True)])
def test_while_it_runs(world: World, pause: float, late: bool) -> None:
    """One partition that was not read to its end for too long is enough."""
    world.items.start({}, {})
    world.read(5, 5)
    world.clock.now += pause
    world.items.ends_at(TWO, 5)
    world.learn(5, 5, position=5)
    assert world.items.anew == ({"items.a"} if late else set())
    assert not world.items.anew_at_start


def test_reading_begins_anew_when_nothing_is_on_its_way(world: World) -> None:
    """Earlier records must be learned first: they would look like records of the new reading."""
    world.items.start({}, {})
    world.read(5, 5)
    before = world.items.at_end()
    world.clock.now += KEPT
    world.items.ends_at(TWO, 5)
    assert world.learn(5, 5, position=8) == []
    assert (world.items.late, world.items.anew) == ({"items.a"}, set())
    assert world.learn(8, 8, position=8) == [ONE, TWO]
    assert (world.items.late, world.items.anew) == (set(), {"items.a"})
    assert world.items.at_end() == before
    assert world.learn(0, 0, position=0) == []
    world.read(5, 5)
    assert world.items.anew == set()


def test_short_pauses_do_not_matter_however_short_removals_are_kept() -> None:
    """A topic may drop removals at once; a reader at its end gets them all the same."""
    clock = Clock(50_000.0)
    items = CompactedItems({"items.a": 0.1}, 60.0, clock)
    items.start({}, {})
    for _ in range(3):
        items.ends_at(ONE, 5)
        items.learned({ONE: 5}, lambda _place: 5)
        clock.now += 59.0
    assert (items.late, items.anew) == (set(), set())


def test_other_topics_are_no_concern(world: World) -> None:
    """A topic that is not compacted keeps removals as long as items, so it is not read anew."""
    assert world.items.start({OTHER: 5}, {}) == set()
    world.items.ends_at(OTHER, 5)
    assert world.items.of([OTHER, ONE]) == [ONE]
    assert world.items.at_end() == {}
