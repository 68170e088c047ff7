"""What a user's items say of their interest in text."""

from __future__ import annotations

import numpy as np

from models.signals.text_affinity import FADE, profile, to_own
from models.tables.catalogue import Catalogue
from models.tables.user_history import History

DIM = 6


def _world() -> tuple[list[Catalogue], History]:
    """Two domains of three items each, and a user who had all of the first and two of the second."""
    rng = np.random.default_rng(0)
    catalogues = [Catalogue(10, DIM), Catalogue(10, DIM)]
    for catalogue in catalogues:
        for n in range(3):
            row, _ = catalogue.touch(f"i{n}")
            catalogue.set_vector(row, rng.normal(size=DIM).astype(np.float32))
    history = History(catalogues)
    for time, (domain, row) in enumerate([(1, 0), (0, 0), (0, 1), (1, 2), (0, 2)]):
        history.add(7, domain, row, f"i{row}", float(time))
    return catalogues, history


def test_the_profile_is_of_all_domains() -> None:
    catalogues, history = _world()
    first, second = (catalogue.directions.units for catalogue in catalogues)
    fading = FADE ** np.arange(5)
    wanted = fading @ np.stack([first[2], second[2], first[1], first[0], second[0]])
    found = profile(catalogues, history.recent(7))
    np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted), rtol=1e-4)
    assert not profile(catalogues, history.recent(None)).any()


def test_how_near_items_are_to_the_domains_own() -> None:
    catalogues, history = _world()
    units, rows = catalogues[1].directions.units, np.arange(3)
    own = FADE * units[0] + units[2]
    found = to_own(catalogues[1], history.recent(7), 1, rows)
    np.testing.assert_allclose(found[:, 0], np.maximum(units[:3] @ units[0], units[:3] @ units[2]), rtol=1e-4)
    np.testing.assert_allclose(found[:, 1], units[:3] @ own / np.linalg.norm(own), rtol=1e-4)
    assert not to_own(catalogues[1], history.recent(None), 1, rows).any()
