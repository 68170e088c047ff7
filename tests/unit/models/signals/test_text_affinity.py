"""Text affinity follows from the texts of a user's items."""

from __future__ import annotations

import numpy as np

from tests.support.learners.ranking_world import World

PAST = [(1, 0), (0, 0), (0, 1), (1, 2), (0, 2)]


def _world() -> World:
    """Return two domains of three items, and a user who had all of the first and two of the second."""
    world = World(items=3)
    for time, (domain, row) in enumerate(PAST):
        world.history.add(7, domain, row, float(time))
    return world


def test_the_profile_is_of_all_domains() -> None:
    world = _world()
    first, second = (catalogue.directions.units for catalogue in world.catalogues)
    fading = 0.8 ** np.arange(5)
    wanted = fading @ np.stack([first[2], second[2], first[1], first[0], second[0]])
    found, nobody = world.asked([7, None]).profile
    np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted), rtol=1e-4)
    assert not nobody.any()
    cosines = world.column("text", 7)
    np.testing.assert_allclose(cosines[1], second[1] @ wanted / np.linalg.norm(wanted), rtol=1e-3)


def test_how_near_items_are_to_the_domains_own() -> None:
    world = _world()
    units = world.catalogues[1].directions.units
    own = 0.8 * units[0] + units[2]
    for row in range(3):
        nearest, mean = (world.column(name, 7, include=row)[row] for name in ("text_nearest", "text_own"))
        np.testing.assert_allclose(nearest, max(units[row] @ units[0], units[row] @ units[2]), rtol=1e-4)
        np.testing.assert_allclose(mean, units[row] @ own / np.linalg.norm(own), rtol=1e-3, atol=1e-6)
        assert world.column("text_nearest", None, include=row)[row] == 0.0


def test_without_text_nothing_is_near() -> None:
    """Users whose items have no vectors have no direction, without a division by zero."""
    world = World(text=False, items=3)
    world.history.add(7, 1, 0, 0.0)
    for name in ("text", "text_nearest", "text_own"):
        assert not any(world.column(name, 7).values())
