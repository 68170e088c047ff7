"""`evaluate` works with files that lack columns, titles, items or ratings, or have repeated rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from consumers.cli.main import write_json
from consumers.config.schema import Settings
from consumers.errors import Stop
from consumers.evaluation.baselines import run_item_knn
from consumers.evaluation.dataset import Data, EvaluatedFiles, load_data
from consumers.evaluation.metrics import TargetEvents, all_figures, rating_figures
from consumers.evaluation.predictions import ArmOutcome
from consumers.evaluation.report import print_report, write_plot
from consumers.terminal.log import console

EVENTS = (
    "user_id,item_id,domain,rating,timestamp,type\n"
    "007,01,books,4,1400000000,rating\n"
    "007,f1,films,,1400000001,click\n"
    "u2,01,books,2,1400000002,rating\n"
    "u2,02,books,,1400000002,click\n"
    "u2,both,films,3,1400000003,rating\n"
    "u3,both,books,,1400000004,click\n"
)


def loaded(folder: Path, items: str, events: str = EVENTS, target: str = "books") -> Data:
    (folder / "events.csv").write_text(events)
    (folder / "items.csv").write_text(items)
    return load_data(EvaluatedFiles(folder / "events.csv", folder / "items.csv", target), Settings())


def placed(data: Data) -> set[tuple[str, str]]:
    return {(i.domain, i.item_id) for i in data.items}


def test_an_item_file_needs_no_text(tmp_path: Path) -> None:
    """Ids and domains are enough; leading zeros stay."""
    data = loaded(tmp_path, "item_id,domain\n01,books\nf1,films\n")
    assert placed(data) == {("books", "01"), ("films", "f1")}
    assert not any(i.words() for i in data.items)
    assert data.unlisted() == 2
    assert data.events[0].user == "007"


def test_items_without_a_domain_are_where_their_events_are(tmp_path: Path) -> None:
    """Items without a domain are in each domain with their events; without events in the target."""
    data = loaded(tmp_path, "item_id\n01\nf1\nboth\nnever\n")
    assert placed(data) == {
        ("books", "01"), ("films", "f1"), ("books", "both"), ("films", "both"), ("books", "never"),
    }  # fmt: skip


def test_without_any_domain_column_all_is_the_target(tmp_path: Path) -> None:
    data = loaded(tmp_path, "item_id,title\na,A\n", "user_id,item_id,timestamp\nu,a,1400000000\n")
    assert placed(data) == {("books", "a")}
    assert [d.name for d in data.domains] == ["books"]
    assert not data.has_ratings


def test_a_file_without_usable_events_says_why(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="no column tells the time"):
        loaded(tmp_path, "item_id,domain\na,books\n", "user_id,item_id,domain\nu,a,books\nv,a,books\n")
    with pytest.raises(Stop, match=r"the file holds books, films$"):
        loaded(tmp_path, "item_id,domain\na,books\n", target="games")


def test_interactions_are_not_taken_for_items(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="this file holds interactions"):
        loaded(tmp_path, EVENTS)


def test_items_listed_twice_are_one_item(tmp_path: Path) -> None:
    """The batch peer counts repeated events once."""
    data = loaded(tmp_path, "item_id,domain\n01,books\n01,books\n02,books\nboth,books\nboth,books\n")
    outcome = run_item_knn(data, 0, lambda _: None)[0]
    assert outcome.catalogue == 3
    assert outcome.rank.max() < 3


def test_what_was_not_measured_is_null_and_a_dash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """NaN is neither in the JSON nor on the screen, and the plot leaves out an arm without predictions."""
    more = (
        "".join(f"u9,0{n},books,,140000001{n},click\n" for n in range(9))
        + "u9,02,books,5,1400000099,rating\n"
    )
    few = EVENTS.replace("4,1400000000,rating", ",1400000000,click").replace(
        "2,1400000002,rating", ",1400000002,click"
    )
    data = loaded(tmp_path, "item_id,domain\n01,books\n", few + more)
    target, full, other = TargetEvents(data), ArmOutcome("full", 0, 14), ArmOutcome("text", 0, 14)
    full.prediction[-1] = 4.0
    assert np.isnan(rating_figures(target, full, data.grid)["rmse_first5"])
    report = {"target": "books", "events": 14, "seconds": 0.0, **all_figures(data, target, [full, other])}
    write_json(tmp_path / "f.json", report)
    written = json.loads((tmp_path / "f.json").read_text(), parse_constant=pytest.fail)
    assert written["rating"]["full"]["rmse_first5"] is None
    print_report(report, console())
    assert "nan" not in capsys.readouterr().out
    write_plot(tmp_path / "p.png", target, [full, other])
    assert (tmp_path / "p.png").stat().st_size > 0
