"""All columns of the candidates are filled, with the values of the plain rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.signals.covisit_scores import OWN_SIGNALS
from models.signals.registry import ALL, LAYOUT, LEFT_OUT, NAMES, PLACES, TARGET_ONLY
from tests.support.learners.ranking_world import World
from tests.support.plain import ranking as plain


@pytest.mark.parametrize("domain", [0, 1])
@pytest.mark.parametrize("network", [False, True])
def test_columns_are_what_the_plain_rules_say(domain: int, network: bool) -> None:
    """The columns of every candidate, for every user and an unknown one, equal the plain rules."""
    world = World(network=network)
    world.run(600)
    for user in (None, *range(world.users)):
        rows, values = world.proposed(user, domain)
        eligible = world.history.eligible(user, domain)
        wanted = plain.columns(world.ranker, domain, world.who(user, domain), rows.astype(np.int64), eligible)
        for name, expected in wanted.items():
            found = values[PLACES[name]]
            if name in OWN_SIGNALS and domain not in world.ranker.target_only:
                assert not found.any()  # only a target is compared with what it knows by itself
                continue
            np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4, err_msg=name)


def test_each_column_has_a_plain_rule_or_a_test_that_names_it() -> None:
    """A new signal needs no change here: its file and its test are enough."""
    world = World()
    world.run(50)
    rows, _ = world.proposed(None)
    eligible = world.history.eligible(None, 1)
    plainly = plain.columns(world.ranker, 1, world.who(None), rows.astype(np.int64), eligible)
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in PLACES if name not in plainly and f'"{name}"' not in tests] == []


@pytest.mark.parametrize("user", [None, 3])
def test_no_column_is_left_unwritten(user: int | None) -> None:
    """No column is left unwritten, also in a young ranker; columns without a signal stay zero."""
    for events in (0, 200):
        world = World(network=True)
        world.run(events)
        world.proposed(user)  # makes the room
        world.ranker._room[1].values[:] = np.nan
        rows, values = world.proposed(user)
        assert len(rows)
        assert np.isfinite(values).all()


def test_names_and_places_fit() -> None:
    assert [LAYOUT[n].name for n in ALL] == list(NAMES)
    assert len(PLACES) == len(LAYOUT)
    without = {name for name, place in zip(NAMES, TARGET_ONLY, strict=True) if place == LEFT_OUT}
    assert without == {"co_visitation_sources", "affinity"}
    moved = {LAYOUT[place].name for place in TARGET_ONLY if place != LEFT_OUT} - set(NAMES)
    assert moved == {"own_sequence", "own_sequence_60d", "own_sequence_reversed", "own_co_visitation_30d"}
