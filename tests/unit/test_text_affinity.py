"""What a user's items say of their interest in text."""

from __future__ import annotations

import numpy as np

from models.catalogue import Catalogue
from models.history import History
from models.text_affinity import FADE, profile

DIM = 6


def _world() -> tuple[list[Catalogue], History]:
    """Two domains of three items each, all in different directions."""
    catalogues = [Catalogue(10, DIM), Catalogue(10, DIM)]
    for domain, catalogue in enumerate(catalogues):
        for n in range(3):
            row, _ = catalogue.touch(f"i{n}")
            catalogue.set_vector(row, np.eye(DIM, dtype=np.float32)[3 * domain + n])
    return catalogues, History(catalogues)


def test_the_domains_own_items_are_the_profile() -> None:
    catalogues, history = _world()
    for time, (domain, row) in enumerate([(1, 0), (0, 0), (0, 1), (1, 2), (0, 2)]):
        history.add(7, domain, row, f"i{row}", float(time))
    units = catalogues[1].directions.units
    wanted = FADE * units[0] + units[2]
    found = profile(catalogues, history.recent(7), 1)
    np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted), rtol=1e-5)


def test_before_the_first_of_them_all_domains_are() -> None:
    catalogues, history = _world()
    for time, row in enumerate([0, 1]):
        history.add(7, 0, row, f"i{row}", float(time))
    units = catalogues[0].directions.units
    wanted = FADE * units[0] + units[1]
    np.testing.assert_allclose(
        profile(catalogues, history.recent(7), 1), wanted / np.linalg.norm(wanted), rtol=1e-5
    )
    assert not profile(catalogues, history.recent(None), 1).any()
