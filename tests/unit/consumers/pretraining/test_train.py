"""Pretraining measures the last part in time with a frozen learner, and saves a state that `run` loads."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consumers.datasets.history import holdout_start
from consumers.errors import Stop
from consumers.events.record import Record
from consumers.pretraining.holdout import measure
from models.schema import Interaction
from models.state.checkpoint import CheckpointDirectory
from serving.store.store_mark import UNKNOWN
from tests.support.learners.pretrained import (
    START,
    Row,
    config,
    make_world,
    pretrain,
    restored,
    rows_of,
    write_rows,
)
from tests.support.learners.states import differences
from tests.support.store.all_writes import all_writes


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return a world of 400 events, of which 320 are learned, and the report."""
    folder = make_world(tmp_path_factory.mktemp("measured"), 400)
    return folder, pretrain(folder, final_fit=False)[0]


def test_the_figures_follow_from_what_the_saved_learner_predicts_and_recommends(
    measured: tuple[Path, dict[str, Any]],
) -> None:
    """Every figure follows in plain Python from the CSV's held-out rows and the lists that `run` would publish."""
    folder, report = measured
    rows = sorted(rows_of(folder), key=lambda r: int(r["timestamp"]))
    assert (report["events"], report["held_out"], report["dropped"]) == (400, 80, 0)
    learner = restored(folder).arms.full
    assert sum(learner.learned) == 320
    had = {(r["domain"], r["user_id"], r["item_id"]) for r in rows[:320]}
    grid = {d: sorted({float(r["rating"]) for r in rows[:320] if r["domain"] == d}) for d in learner.index}
    found: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    newest = list(learner.newest)
    for row in rows[320:]:
        name, user, item, rating = row["domain"], row["user_id"], row["item_id"], float(row["rating"])
        at, got = learner.index[name], found[name]
        when = int(row["timestamp"])
        event = Interaction(name, "rating", user, item, when * 1000, rating)
        prediction = learner.score(event).prediction
        assert prediction is not None
        got["error"].append((prediction - rating) ** 2)
        got["hit"].append(min(grid[name], key=lambda g: abs(g - prediction)) == rating)
        if (name, user, item) in had:
            continue
        learner.newest[at] = max(newest[at], when)
        listed = [r.item_id for r in learner.recommend([user], name, 1000)[0]]
        learner.newest[at] = newest[at]
        rank = listed.index(item) if item in listed else math.inf
        got["gain"].append(1 / math.log2(rank + 2) if rank < 10 else 0.0)
        got["recall"].append(rank < 10)
        got["top"] += listed[:10]
    items = {"movies": 50, "games": 30}
    assert set(report["domains"]) == set(items)
    for name, figures in report["domains"].items():
        got = found[name]

        def mean(key: str, got: dict[str, list[Any]] = got) -> float:
            return sum(got[key]) / len(got[key])

        assert (figures["n"], figures["ranked"]) == (len(got["error"]), len(got["gain"]))
        assert figures["mse"] == pytest.approx(mean("error"))
        assert figures["rmse"] == pytest.approx(math.sqrt(mean("error")))
        assert figures["accuracy"] == pytest.approx(mean("hit"))
        assert figures["ndcg@10"] == pytest.approx(mean("gain"))
        assert figures["ndcg_loss"] == pytest.approx(1 - mean("gain"))
        assert figures["recall@10"] == pytest.approx(mean("recall"))
        assert figures["coverage@10"] == pytest.approx(len(set(got["top"])) / items[name])
    assert sum(f["n"] for f in report["domains"].values()) == 80


def test_measuring_changes_nothing(measured: tuple[Path, dict[str, Any]]) -> None:
    """The learner's state is the same bit for bit after scoring events it has not seen."""
    learner = restored(measured[0]).arms.full
    before = learner.state()
    later = [
        Interaction("games", "rating", f"u{n}", "never seen", (START + 10**8) * 1000, 3.0) for n in range(5)
    ]
    measure(learner, later, {"movies": [], "games": []})  # type: ignore[dict-item]
    assert differences(before, learner.state()) == []


def test_what_is_learned_knows_nothing_of_the_held_out_part(small: Path) -> None:
    """Other ratings, users and items after the cut, and another order of the rows, leave the checkpoint the same."""
    pretrain(small, final_fit=False)
    rows = sorted(rows_of(small), key=lambda r: int(r["timestamp"]))
    rng = random.Random(0)
    for row in rows[80:]:
        row |= {"rating": str(rng.randint(1, 5)), "user_id": f"other{rng.randrange(9)}"}
    rng.shuffle(rows)
    write_rows(small, rows)
    pretrain(small, "other", final_fit=False)
    assert differences(restored(small).arms.state(), restored(small, "other").arms.state()) == []


def test_the_final_fit_learns_the_rest_and_leaves_the_figures_alone(small: Path) -> None:
    """With the final fit the checkpoint holds every event, and the figures stay the same."""
    frozen, _ = pretrain(small, final_fit=False)
    whole, _ = pretrain(small, "whole")
    assert whole["domains"] == frozen["domains"]
    assert sum(restored(small, "whole").arms.full.learned) == 100
    assert pretrain(small, "none", holdout=0.0)[0]["held_out"] == 0
    assert sum(restored(small, "none").arms.full.learned) == 100


def test_events_of_one_time_are_not_torn_apart() -> None:
    """Events of one time stay together after the cut; if nothing is before it, the command says so."""

    def at(*times: int) -> list[Interaction]:
        return [Interaction("movies", "click", "u", "i", t) for t in times]

    assert holdout_start(at(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), 0.2) == 8
    assert holdout_start(at(1, 2, 3, 4, 5, 6, 7, 9, 9, 10), 0.2) == 7
    assert holdout_start(at(1, 2, 3), 0.01) == 2
    assert holdout_start(at(1, 1), 0.0) == 2
    for few in (at(1), at(1, 1, 1, 1, 1, 2)):
        with pytest.raises(Stop, match="--holdout 0"):
            holdout_start(few, 0.4)


def test_incomplete_rows_are_dropped_and_counted(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows without user, item, time or rating, or out of range, are counted; all counts add up."""
    rows = rows_of(small)
    spoiled: list[Callable[[Row], object]] = [
        lambda r: r.update(user_id=""),
        lambda r: r.update(item_id=""),
        lambda r: r.update(timestamp=""),
        lambda r: r.update(rating=""),
        lambda r: r.update(rating="NaN"),
        lambda r: r.update(rating="9"),
        lambda r: r.update(domain=""),
        lambda r: r.update(domain="music"),
        lambda r: r.update(domain="music"),
    ]
    for row, spoil in zip(rows[::10], spoiled, strict=False):
        spoil(row)
    write_rows(small, rows)
    report, _ = pretrain(small)
    said = capsys.readouterr().err
    assert report["dropped"] == 7
    assert report["dropped_by_reason"] == {
        "user_id": 1,
        "item_id": 1,
        "timestamp": 1,
        "rating": 3,
        "domain": 1,
    }
    assert report["skipped"] == {"music": 2}
    assert report["events"] == 100 - 9
    assert "7 bad rows left out" in said
    assert "interactions.csv.gz:2: user_id is empty" in said
    assert "music (2)" in said


def test_rows_without_rating_are_clicks_where_nothing_else_can_be_meant(small: Path) -> None:
    """Rows without a rating are clicks only in a domain without ratings, or if a `type` column says so."""
    rows = rows_of(small)
    clicks = sum(r["domain"] == "games" for r in rows)
    write_rows(small, [r | {"rating": r["rating"] if r["domain"] == "movies" else ""} for r in rows])
    report, _ = pretrain(small)
    assert (report["events"], report["dropped"]) == (100, 0)
    assert report["domains"]["games"]["rmse"] is None
    assert report["domains"]["games"]["ndcg@10"] is not None
    assert 0 < clicks < 100
    typed = [
        {
            "user_id": r["user_id"], "item_id": r["item_id"], "domain": r["domain"], "timestamp": int(r["timestamp"]),
            "type": "rating" if n % 2 else "click", "rating": float(r["rating"]) if n % 2 else None,
        }
        for n, r in enumerate(rows)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(typed), small / "typed.parquet")
    report, _ = pretrain(small, "typed", interactions=small / "typed.parquet")
    assert (report["events"], report["dropped"]) == (100, 0)


def test_one_domain_per_file_is_named(small: Path) -> None:
    """`--domain` names the domain of a table without that column, or picks its rows; other rows are counted."""
    report, _ = pretrain(small, domain="movies")
    assert set(report["skipped"]) == {"games"}
    assert report["domains"]["games"]["n"] == 0
    assert report["events"] + report["skipped"]["games"] == 100


def test_run_starts_from_it(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The state has no offsets and no store, everything is due, and `run` skips repeated event_ids."""
    rows = [r | {"event_id": f"e{n}"} for n, r in enumerate(rows_of(small))]
    write_rows(small, rows + rows[:10])
    report, _ = pretrain(small)
    assert (report["events"], report["repeated"]) == (100, 10)
    assert "10 events left out: their event_id came before" in capsys.readouterr().err
    state, _ = CheckpointDirectory(small / "out", read_only=True).load()
    assert state is not None
    assert (state["offsets"], state["identity"], state["store"]) == ([], {}, UNKNOWN)
    pipeline = restored(small)
    writes = {write.key: write for write in all_writes(pipeline.queue)}
    users = {r["user_id"] for r in rows}
    assert {f"cc:rec:{{{u}}}:{d}" for u in users for d in ("movies", "games")} <= set(writes)
    assert {f"cc:user:{{{u}}}" for u in users} <= set(writes)
    assert sum(key.startswith("cc:item:") for key in writes) == 80
    known = next(r["event_id"] for r in rows if r["domain"] == "movies")
    log = [
        Record(
            "interactions.movies", 0, offset, 1_700_000_000_000, b"u",
            f'{{"type":"click","user_id":"u","item_id":"i","event_id":"{event_id}"}}'.encode(),
        )
        for offset, event_id in enumerate((known, *(f"new{n}" for n in range(config().intake.batch_events))))
    ]  # fmt: skip
    pipeline = restored(small, log=log)
    pipeline.step()
    assert (pipeline.totals["learned"], pipeline.totals["duplicates"]) == (
        config().intake.batch_events - 1,
        1,
    )


def test_without_an_item_file_the_items_are_those_of_the_events(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They can be recommended, by their events alone. The command says that they have no text."""
    folder = make_world(tmp_path, 200)
    report, _ = pretrain(folder, items=None)
    assert (report["events"], report["dropped_items"]) == (200, 0)
    assert "no --items: the items are those of the events, and they have no text" in capsys.readouterr().err
    learner = restored(folder).arms.full
    rated = {r["item_id"] for r in rows_of(folder) if r["domain"] == "games"}
    user = rows_of(folder)[0]["user_id"]
    assert {item.item_id for item in learner.recommend([user], "games", 10)[0]} <= rated
    assert report["domains"]["games"]["ranked"] > 0
