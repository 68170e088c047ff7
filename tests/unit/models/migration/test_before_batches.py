"""Parts of a state from before events were learned in batches load, and have the same results.

`before_batches.npz` holds the states of a ranker, a history and an index after 150 events of 6 users on 20 items in two
domains, and what that version answered (`asked`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.ranking.ranker import Ranker
from models.ranking.rankings import Space
from models.schema import Domain
from models.signals.popularity import Popularity
from models.signals.registry import NAMES
from models.tables.catalogue import Catalogue
from models.tables.decayed_counts import DAY, HALF_LIVES
from models.tables.event_rings import asking
from models.tables.user_history import History
from models.text.inverted_lists import VectorIndex
from models.text.nearest import Lists
from tests.support.learners.ranking_world import NO_LISTS, WIDTH
from tests.support.paths import ROOT
from tests.support.plain.user_experience import log_density

NONE = np.zeros((0, WIDTH), np.float32)


def nested(flat: dict[str, Any]) -> Any:
    """Return nested dicts from paths with dots; a dict of the keys 0 … n may be a list."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *above, last = path.split(".")
        place = tree
        for name in above:
            place = place.setdefault(name, {})
        place[last] = value.item() if value.ndim == 0 else value
    return tree


@pytest.fixture(scope="module")
def held() -> dict[str, Any]:
    with np.load(ROOT / "tests/data/states/before_batches.npz") as file:
        tree: dict[str, Any] = nested(dict(file))
    signals = tree["ranker"]["signals"]
    for name in ("popularity", "stage"):
        signals[name] = list(signals[name].values())
    visits = signals["visits"]
    visits["slot_of"] = list(visits["slot_of"].values())
    visits["free"], visits["dropped"] = visits["free"].tolist(), visits["dropped"].tolist()
    tree["ranker"]["choices"] = list(tree["ranker"]["choices"].values())
    for choice in tree["ranker"]["choices"]:
        choice["names"] = choice["names"].tolist()
    return tree


@pytest.fixture
def tables(held: dict[str, Any]) -> tuple[Ranker, History]:
    catalogues = [Catalogue(100, 4), Catalogue(100, 4)]
    for domain, catalogue in enumerate(catalogues):
        for n in range(20):
            row, _ = catalogue.touch(f"i{n}")
            catalogue.set_vector(row, held["asked"]["vectors"][str(domain)][n])
    history = History(catalogues, length=8)
    history.load(held["history"])
    ranker = Ranker([Domain("movies"), Domain("books", role="target")], catalogues)
    ranker.load(held["ranker"])
    return ranker, history


def test_logarithms_become_counts(held: dict[str, Any]) -> None:
    """Counts, now and three days later, and top lists are the same, and new events are added."""
    for domain, state in enumerate(held["ranker"]["signals"]["popularity"]):
        popularity, now, rows = Popularity(), held["asked"]["now"], np.arange(20)
        popularity.load(state)
        wanted = held["asked"]["counts"][str(domain)]
        np.testing.assert_allclose(popularity.values(rows, now), wanted, rtol=1e-9)
        later = popularity.values(rows, now + 3 * DAY)[:, list(HALF_LIVES).index("3d")]
        np.testing.assert_allclose(later, wanted[:, list(HALF_LIVES).index("3d")] / 2, rtol=1e-9)
        for name, top in zip(HALF_LIVES, held["asked"]["tops"][str(domain)], strict=True):
            assert popularity.top(name).tolist() == top.tolist()
        assert popularity.events == state["events"]
        assert (
            popularity.first[~np.isnan(state["first"])] == state["first"][~np.isnan(state["first"])]
        ).all()
        popularity.add(3, now)
        assert popularity.count("ever", 3, now) == pytest.approx(
            wanted[3, list(HALF_LIVES).index("ever")] + 1
        )
        again = Popularity()
        again.load(popularity.state())
        np.testing.assert_array_equal(again.values(rows, now), popularity.values(rows, now))


def test_an_empty_popularity_of_before_loads() -> None:
    """The popularity of a domain without events loads without a start and without rows."""
    popularity = Popularity()
    popularity.load(
        {"start": np.nan, "newest": -np.inf, "events": 0, "logs": np.zeros((0, len(HALF_LIVES))),
         "first": np.zeros(0), "_top": np.zeros((len(HALF_LIVES), 0), np.int64)}
    )  # fmt: skip
    popularity.add(2, 5.0)
    assert popularity.count("1d", 2, 5.0) == 1.0


def test_users_latest_items_and_what_they_had(held: dict[str, Any], tables: tuple[Ranker, History]) -> None:
    """A row that another item has got since is still left out."""
    _, history = tables
    for user in range(6):
        recent = np.stack(list(history.recent(user)), 1)
        np.testing.assert_array_equal(recent, held["asked"]["recent"][str(user)])
        assert sorted(history.seen_rows(user, 1)) == held["asked"]["seen"][str(user)].tolist()
    before = history.count(3, 1)
    history.add(3, 1, 5, 2e9)
    assert history.count(3, 1) == before + 1
    assert history.recent(3).row[-1] == 5


def test_items_for_beginners_stay_so(held: dict[str, Any], tables: tuple[Ranker, History]) -> None:
    for domain, experience in enumerate(tables[0].statistics.experience):
        found = log_density(experience.moments[:20], experience.total, 3)
        np.testing.assert_allclose(found, held["asked"]["stage"][str(domain)], rtol=1e-9)


def test_weights_and_lists_are_the_same(held: dict[str, Any], tables: tuple[Ranker, History]) -> None:
    """Every user gets the same list as then, and the target-only arm begins with its prior."""
    ranker, history = tables
    for choice, state in zip(ranker.choices, held["ranker"]["choices"], strict=True):
        assert set(state["names"]) <= set(NAMES)
        for user in range(6):
            kept, known = choice.users.of(user), len(state["names"])
            np.testing.assert_allclose(kept[:, :known], state["users"][user], rtol=2**-11, atol=2**-25)
            assert not kept[:, known:].any()
    for user in range(6):
        done = asking([user], 1)
        done.time[:] = held["asked"]["now"]
        asked = ranker.ask(
            done, history.recall(done), history.seen_before(done), np.zeros((1, WIDTH), np.float32)
        )
        ranked = ranker.recommend(1, asked, Space(NONE, NONE, Lists(*NO_LISTS, np.zeros(0, np.int32), 0)), 8)[
            0
        ]
        np.testing.assert_allclose(ranked.scores, held["asked"]["scores"][str(user)], rtol=1e-4, atol=1e-4)
        assert ranked.rows.tolist() == held["asked"]["rows"][str(user)].tolist()
    assert not ranker.target_only[1].users.row_of.any()


def test_an_index_of_before_is_made_from_its_centres(held: dict[str, Any]) -> None:
    """Such an index is made from its centres, because it did not keep the rows of each."""
    index, vectors = VectorIndex(4, 30), held["index_vectors"]
    index.load(held["index"], vectors)
    assert index.in_use
    lists = index.lists(vectors, len(vectors))
    assert sorted(lists.members[lists.begin[0] :].tolist()) == list(range(len(vectors)))
    nearest = (vectors @ held["index"]["centres"].T).argmax(1)
    for n, row in enumerate(lists.members[lists.begin[0] :].tolist()):
        assert lists.begin[nearest[row]] <= lists.begin[0] + n < lists.begin[nearest[row] + 1]
    small = VectorIndex(4, 100)
    small.load(held["index"], vectors)
    assert not small.in_use
