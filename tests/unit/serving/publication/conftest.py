"""Provide learners that have published some lists."""

from __future__ import annotations

import pytest

from tests.support.store.publication_world import World


@pytest.fixture
def world() -> World:
    """Return learners with eight movies, four books, one note, and three users."""
    made = World()
    for n in range(8):
        made.item(f"m{n}")
    for n in range(4):
        made.item(f"b{n}", "books")
    made.item("n0", "notes")
    for user, item in (("ann", "m0"), ("bob", "m1"), ("cem", "m2"), ("ann", "m1")):
        made.event(user, item)
    made.event("ann", "b0", "books")
    made.publish()
    return made
