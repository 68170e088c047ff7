"""`crosscurrent evaluate` as a user runs it, on a small simulated world; its figures recomputed by other code."""

from __future__ import annotations

import csv
import gzip
import json
import math
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from consumers.simulator.event_stream import Simulator
from consumers.simulator.output import write_files
from consumers.simulator.world_settings import DomainSpec, WorldSettings

ARMS = {
    "full", "full_share", "target_only", "network", "popularity_1d", "popularity_3d", "popularity_30d",
    "popularity_ever", "item_knn_batch", "co_visitation", "text", "river_biased_mf_target", "river_biased_mf_all",
}  # fmt: skip
RIVER = {"river_biased_mf_target", "river_biased_mf_all"}
BUCKETS = {"0": (0, 0), "1-4": (1, 4), "5-19": (5, 19), "20+": (20, math.inf)}


def evaluate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    line = [
        sys.executable, "-m", "consumers.cli", "evaluate", "--interactions", str(folder / "interactions.csv.gz"),
        "--items", str(folder / "items.csv.gz"), "--target", "games", *words,
    ]  # fmt: skip
    return subprocess.run(line, capture_output=True, text=True, timeout=170, check=False)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """(folder with the data and predictions.parquet, the JSON report)"""
    folder = tmp_path_factory.mktemp("evaluated")
    world = WorldSettings(
        domains=(
            DomainSpec("movies", users=60, items=60),
            DomainSpec("games", users=50, items=40, share=0.8),
        ),
        events=1200,
    )
    write_files(Simulator(world), folder)
    done = evaluate(
        folder, "--json", str(folder / "f.json"), "--predictions", str(folder / "p.parquet"),
        "--plot", str(folder / "stream.png"), "--seeds", "2",
        "--strategies", "share",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Ranking" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("games: ")
    return folder, json.loads((folder / "f.json").read_text())


def rows_of(folder: Path) -> dict[tuple[str, int], list[dict[str, Any]]]:
    rows: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for row in pq.read_table(folder / "p.parquet").to_pylist():
        rows[row["arm"], row["seed"]].append(row)
    return rows


def test_every_arm_is_there_with_the_promised_fields(evaluated: tuple[Path, dict[str, Any]]) -> None:
    """`rating` holds ours, the network and River; `ranking` all but River; the plot is a PNG."""
    folder, report = evaluated
    assert set(report["rating"]) == {"full", "full_share", "target_only", "network"} | RIVER
    assert set(report["ranking"]) == ARMS - RIVER
    for figures in report["rating"].values():
        assert {"rmse", "rmse_sd", "mae", "accuracy", "rmse_first5", "rmse_ci"} <= set(figures)
    for figures in report["ranking"].values():
        assert {"ndcg@10", "ndcg@10_sd", "hr@10", "mrr", "coverage@10", "ndcg@10_ci"} <= set(figures)
        assert set(figures["by_history"]) == set(BUCKETS)
    assert {"arm", "diff", "ci", "by_history"} <= set(report["vs_best"])
    assert (folder / "stream.png").read_bytes().startswith(b"\x89PNG")


def test_the_figures_follow_from_the_predictions(evaluated: tuple[Path, dict[str, Any]]) -> None:
    """Every figure but coverage, from the Parquet file alone, in plain Python."""
    folder, report = evaluated
    by_seed: dict[str, list[list[dict[str, Any]]]] = defaultdict(list)
    for (arm, _), rows in sorted(rows_of(folder).items()):
        by_seed[arm].append(rows)
    for arm, figures in report["rating"].items():
        for name, early in (("rmse", False), ("rmse_first5", True)):
            per_seed = []
            for rows in by_seed[arm]:
                errors = [(r["prediction"] - r["rating"]) ** 2 for r in rows if not early or r["history"] < 5]
                per_seed.append(math.sqrt(sum(errors) / len(errors)))
            assert figures[name] == pytest.approx(sum(per_seed) / len(per_seed), rel=1e-9)
        grid = sorted({r["rating"] for r in by_seed[arm][0]})
        hits = [
            sum(min(grid, key=lambda g: abs(g - r["prediction"])) == r["rating"] for r in rows) / len(rows)
            for rows in by_seed[arm]
        ]
        assert figures["accuracy"] == pytest.approx(sum(hits) / len(hits), abs=0.002)
    for arm, figures in report["ranking"].items():
        gains, hits, reciprocal, buckets = [], [], [], defaultdict(list)
        for rows in by_seed[arm]:
            for r in rows:
                if r["rank"] is None:
                    continue
                gain = 1 / math.log2(r["rank"] + 2) if r["rank"] < 10 else 0.0
                gains.append(gain)
                hits.append(r["rank"] < 10)
                reciprocal.append(1 / (r["rank"] + 1))
                for bucket, (low, high) in BUCKETS.items():
                    if low <= r["history"] <= high:
                        buckets[bucket].append(gain)
        assert figures["ndcg@10"] == pytest.approx(sum(gains) / len(gains), rel=1e-9)
        assert figures["hr@10"] == pytest.approx(sum(hits) / len(hits), rel=1e-9)
        assert figures["mrr"] == pytest.approx(sum(reciprocal) / len(reciprocal), rel=1e-9)
        for bucket, values in buckets.items():
            assert figures["by_history"][bucket]["ndcg@10"] == pytest.approx(sum(values) / len(values))


def test_the_predictions_are_of_the_events_of_the_file(evaluated: tuple[Path, dict[str, Any]]) -> None:
    """One row a target event, arm and seed; index, history and null ranks agree with the file."""
    folder, report = evaluated
    with gzip.open(folder / "interactions.csv.gz", "rt") as file:
        events = list(csv.DictReader(file))
    target = [(n, e) for n, e in enumerate(events) if e["domain"] == "games"]
    assert report["events"] == len(target)
    first = int(0.3 * len(target))
    for (arm, _), rows in rows_of(folder).items():
        assert [r["index"] for r in rows] == [n for n, _ in target]
        seen: dict[str, list[str]] = defaultdict(list)
        for place, (row, (_, event)) in enumerate(zip(rows, target, strict=True)):
            user, item = event["user_id"], event["item_id"]
            assert (row["user_id"], row["item_id"]) == (user, item)
            assert row["history"] == len(seen[user])
            assert row["rating"] == float(event["rating"])
            unranked = place < first or item in seen[user] or arm in RIVER
            assert (row["rank"] is None) == unranked
            seen[user].append(item)
    assert {arm for arm, _ in rows_of(folder)} == ARMS


def test_clicks_only_and_no_text_run_too(tmp_path: Path) -> None:
    """Without ratings there is no rating table. Without titles the other signals rank alone."""
    world = WorldSettings(
        domains=(
            DomainSpec("movies", users=40, items=40, kind="click"),
            DomainSpec("games", users=40, items=30, kind="click"),
        ),
        events=600,
    )
    write_files(Simulator(world), tmp_path)
    with gzip.open(tmp_path / "items.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    with gzip.open(tmp_path / "items.csv.gz", "wt") as file:
        writer = csv.writer(file)
        writer.writerow(["item_id", "domain", "title", "text"])
        writer.writerows([r["item_id"], r["domain"], "", ""] for r in rows)
    done = evaluate(tmp_path, "--json", str(tmp_path / "f.json"))
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "f.json").read_text())
    assert report["rating"] == {}
    assert report["ranking"]["full"]["ndcg@10"] > 0
    assert "text" not in report["ranking"]
    assert "this arm ranks nothing: no item of the target has text" in done.stdout
    assert done.stdout.splitlines()[-1] == report["transfer"]["words"][-1]


def test_without_an_item_file_and_without_the_extra_it_measures_what_it_can(tmp_path: Path) -> None:
    """The items are those of the events, and the arm that needs the package `implicit` is left out. Both are said."""
    world = WorldSettings(
        domains=(DomainSpec("movies", users=30, items=30), DomainSpec("games", users=30, items=20)),
        events=300,
    )
    write_files(Simulator(world), tmp_path)
    program = "import sys; sys.modules['implicit'] = None; from consumers.cli.main import main; main()"
    files = ["--interactions", str(tmp_path / "interactions.csv.gz"), "--json", str(tmp_path / "f.json")]
    done = subprocess.run(
        [sys.executable, "-c", program, "evaluate", *files, "--target", "games"],
        capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no --items: the items are those of the events" in done.stderr
    assert "no arm item_knn_batch, which needs implicit: pip install" in done.stderr
    report = json.loads((tmp_path / "f.json").read_text())
    assert set(report["ranking"]) == ARMS - RIVER - {"full_share", "text", "item_knn_batch"}
    assert report["ranking"]["full"]["by_history"]["1-4"]["n"] > 0
    assert report["transfer"]["rating"]["finding"] in ("helps", "hurts", "no_difference", "too_few")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--target", "books"), "games, movies"),
        (("--strategies", "share,best"), "best is none of none, share, correct, adversarial, coral, all"),
    ],
)
def test_a_wrong_option_names_the_choices(
    evaluated: tuple[Path, dict[str, Any]], words: tuple[str, str], said: str
) -> None:
    """The command prints one clear line and ends with exit code 2."""
    folder, _ = evaluated
    done = evaluate(folder, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
