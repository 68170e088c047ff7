"""Each object's bytes count once, under the right table."""

from __future__ import annotations

import sys

import numpy as np

from consumers.bench.memory import figures
from consumers.bench.parts.learning import learn
from consumers.bench.parts.sizes import KINDS, kind_of, reachable_bytes, table_bytes
from models.arms.arm_comparison import ArmComparison
from models.schema import Domain, Interaction
from models.state.tracked_tables import parts
from serving.contract import Keys
from serving.publication.publication_queue import PublicationQueue


def learned(events: int = 300) -> ArmComparison:
    """Return learners of two domains with 20 users and 30 items."""
    arms = ArmComparison([Domain("movies", "source"), Domain("games", "target")])
    learn(
        arms,
        [
            Interaction(("movies", "games")[n % 2], "rating", f"u{n % 20}", f"i{n % 30}", 10**12 + n, 4.0)
            for n in range(events)
        ],
        16,
    )
    return arms


def test_an_object_counts_once() -> None:
    """A view counts as its base array, which counts only once."""
    table = np.zeros(1000, np.float64)
    visited: set[int] = set()
    assert reachable_bytes([table, table[10:20], table], visited) == 8000
    assert reachable_bytes([table], visited) == 0


def test_what_a_function_encloses_counts() -> None:
    """A part may hold a function that looks a table up: the table counts, the program does not."""
    names = {"a" * 50: 1.5}
    expected = sys.getsizeof(names) + sys.getsizeof("a" * 50) + sys.getsizeof(1.5)

    def look_up() -> dict[str, float]:
        return names

    assert reachable_bytes([look_up], set()) == sys.getsizeof(look_up) + expected


def test_the_longest_path_counts() -> None:
    """The longest path names a table's owner; a table without an owner is shared."""
    assert kind_of(["history", "seen", 0]) == ("user", "items they had")
    assert kind_of(["history", "_row"]) == ("user", "recent events")
    assert kind_of(["alone", "games", "bias", "user@domain"]) == ("user", "biases")
    assert kind_of(["projection", "basis"]) == ("shared", "projection")


def test_every_named_table_is_in_a_state() -> None:
    """A table with another name would silently count as shared."""
    arms = learned()
    queue = PublicationQueue(arms, Keys(), lambda: 0.0)
    found = {
        "/".join(map(str, path)) for live in (arms.full.live(), queue.live([])) for path, _ in parts(live)
    }
    unused = [kind for kind in KINDS if not any(path.startswith(kind) for path in found)]
    assert unused == []


def test_tables_add_up() -> None:
    """A taste has at least a step; all owners together have what the state has."""
    arms = learned()
    queue = PublicationQueue(arms, Keys(), lambda: 0.0)
    got = figures(arms, queue)
    assert (got["users"], got["items"]) == (20, 30)
    assert got["user_tables"]["taste"] >= 13 + 48
    assert got["user_tables"]["biases"] > 100
    assert got["user_bytes"] == sum(got["user_tables"].values())
    lives = [arms.full.live(), queue.live([])]
    rows = got["user_bytes"] * got["users"] + got["item_bytes"] * got["items"]
    rounded = (got["users"] + got["items"]) * len(KINDS)
    assert abs(rows + got["shared_bytes"] - table_bytes(lives).total()) < rounded
