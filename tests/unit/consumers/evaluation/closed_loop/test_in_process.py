"""The service of a closed loop in one process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from consumers.config.loader import load
from consumers.evaluation.closed_loop.in_process import START_MS, InProcess, settings_of
from consumers.evaluation.closed_loop.passes import Unwatched, text_vectors
from consumers.evaluation.closed_loop.tally import Tally
from consumers.simulator.closed_loop.loop import first_items, run
from consumers.simulator.closed_loop.world import World
from consumers.simulator.event_stream import user_id

pytestmark = pytest.mark.timeout(400)  # several hundred lists, on a machine that may be busy


class Warm:
    """A small world, and a service that has served it for 640 impressions."""

    def __init__(self) -> None:
        self.world = World.make("mute", 0, users=100, items=120, before=640, impressions=1_200)
        settings = load(None, need_domains=False)
        vectors = text_vectors(self.world, settings)
        self.service = InProcess(settings_of(settings, 0, 0.0), vectors)
        self.service.put(first_items(self.world))
        run(self.world, self.service, range(640), Unwatched(), "e", lambda _: None)

    def served(self, make: Callable[[World], InProcess]) -> Tally:
        """Serve the rest by a successor."""
        world = self.world.copy()
        service, tally = make(world), Tally(world)
        run(world, service, range(640, 1_840), tally, "e", lambda _: None)
        return tally


@pytest.fixture(scope="module")
def warm() -> Warm:
    return Warm()


def test_a_list_is_what_the_publisher_would_write(warm: Warm) -> None:
    """It has ten items that have arrived and that the user has not had, and the time of its impression."""
    user = int(np.bincount(warm.world.visits.user[:640]).argmax())
    (own,), (stranger,) = (
        warm.service.lists("movies", [name], 640) for name in (user_id(user), "nobody-knows")
    )
    for shown in (own, stranger):
        assert len(set(shown.items)) == len(shown.items) == 10
        assert shown.published_ts == START_MS + 640 * 17_280
        rows = np.array([int(item[-5:]) for item in shown.items])
        assert warm.world.arrived(0, 640)[rows].all()
    assert own.items != stranger.items
    assert not warm.world.had[0][user, [int(item[-5:]) for item in own.items]].any()


def test_every_impression_and_click_is_learned(warm: Warm) -> None:
    """The pipeline has counted what the users did: nothing was refused, dropped or counted twice."""
    totals = warm.service.pipeline.totals
    assert totals["impressions"] == 640
    assert totals["learned"] == totals["interactions"] == sum(map(np.sum, warm.world.had))
    assert totals["dead_letters"] == totals["duplicates"] == totals["repeated_impressions"] == 0


def test_equal_policies_do_the_same(warm: Warm) -> None:
    """Two successors of one service show the same and meet the same clicks: policies differ by their lists alone."""
    first, again = (warm.served(lambda _: warm.service.successor(0.0)) for _ in range(2))
    assert np.array_equal(first.shows, again.shows)
    assert np.array_equal(first.clicks, again.clicks)
    assert np.array_equal(first.regret, again.regret)


def test_a_successor_goes_on_as_the_service_before_it_would(warm: Warm) -> None:
    """A run that is handed over in the middle shows the same as one by a single service, also if lists are drawn."""
    one, two = warm.world.copy(), warm.world.copy()
    whole, parts = Tally(one), Tally(two)
    run(one, warm.service.successor(1.0), range(640, 1_120), whole, "e", lambda _: None)
    first = warm.service.successor(1.0)
    run(two, first, range(640, 880), parts, "e", lambda _: None)
    run(two, first.successor(1.0), range(880, 1_120), parts, "e", lambda _: None)
    assert np.array_equal(whole.shows, parts.shows)
    assert np.array_equal(whole.clicks, parts.clicks)


def test_knowledge_and_exploration_change_what_is_shown(warm: Warm) -> None:
    """The informed ranker gets more clicks with less regret. Exploration shows more of the new items 5 times."""
    greedy = warm.served(lambda _: warm.service.successor(0.0))
    explore = warm.served(lambda _: warm.service.successor(1.0))
    informed = warm.served(lambda world: warm.service.successor(0.0, world))
    assert informed.clicks.sum() > 1.2 * greedy.clicks.sum()
    assert informed.regret.sum() < 0.9 * greedy.regret.sum()
    new = np.array([items.born >= 640 for items in warm.world.items])
    assert (explore.shows[new] >= 5).sum() > 1.5 * (greedy.shows[new] >= 5).sum() > 0


def test_a_config_with_pseudonyms_and_diversity_runs_too() -> None:
    """Users with clicks get lists of their own, and exploring lists are not made diverse."""
    settings = load(None, need_domains=False)
    settings.privacy.key, settings.ranker.diversity = "a secret of this test", 0.5
    world = World.make("news", 0, users=3, items=40, before=0, impressions=48)
    service = InProcess(settings_of(settings, 0, 1.0), text_vectors(world, settings))
    service.put(first_items(world))
    run(world, service, range(48), Unwatched(), "e", lambda _: None)
    lists = service.lists("movies", [user_id(row) for row in range(3)], 48)
    assert len({tuple(shown.items) for shown in lists}) == 3
