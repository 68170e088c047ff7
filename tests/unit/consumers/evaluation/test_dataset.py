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
from consumers.evaluation.report.stream_plot import write_plot
from consumers.evaluation.report.tables import print_report
from consumers.evaluation.report.verdict import transfer_figures
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


def loaded(folder: Path, items: str | None, events: str = EVENTS, target: str = "books") -> Data:
    (folder / "events.csv").write_text(events)
    if items is not None:
        (folder / "items.csv").write_text(items)
    listed = None if items is None else folder / "items.csv"
    return load_data(EvaluatedFiles(folder / "events.csv", listed, target), Settings())


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


def test_without_an_item_file_the_items_are_those_of_the_events(tmp_path: Path) -> None:
    """Each item is in the domains of its events, has no text, and can be ranked."""
    data = loaded(tmp_path, None)
    assert placed(data) == {
        ("books", "01"), ("books", "02"), ("books", "both"), ("films", "both"), ("films", "f1"),
    }  # fmt: skip
    assert data.unlisted() == 0
    assert not data.has_text
    assert loaded(tmp_path, "item_id,domain,title\n01,books,Emma\n").has_text
    assert not loaded(tmp_path, "item_id,domain,title\nf1,films,Heat\n").has_text


def test_repeats_of_an_event_id_are_left_out_as_run_does(tmp_path: Path) -> None:
    """The first in time counts."""
    rows = ("u,b,books,1400000009,e", "u,a,books,1400000001,e", "u,c,books,1400000002,f")
    data = loaded(tmp_path, None, "\n".join(("user_id,item_id,domain,timestamp,event_id", *rows)))
    assert [e.item for e in data.events] == ["a", "c"]
    assert data.repeated == 1


def test_sources_and_common_users_are_counted(tmp_path: Path) -> None:
    """Of the three users of books, 007 and u2 have events in films."""
    data = loaded(tmp_path, None)
    assert data.sources == ["films"]
    assert data.users() == (3, 2)


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
    alone = ArmOutcome("target_only", 0, 14)
    full.prediction[-1] = alone.prediction[-1] = 4.0
    assert np.isnan(rating_figures(target, full, data.grid)["rmse_first5"])
    arms = [full, alone, other]
    report = {
        "target": "books", "events": 14, "seconds": 0.0, **all_figures(data, target, arms),
        "transfer": transfer_figures(data, target, arms),
    }  # fmt: skip
    write_json(tmp_path / "f.json", report)
    written = json.loads((tmp_path / "f.json").read_text(), parse_constant=pytest.fail)
    assert written["rating"]["full"]["rmse_first5"] is None
    print_report(report, console())
    said = capsys.readouterr().out
    assert "nan" not in said
    few = (
        "no difference in RMSE can be told yet: 1 rating of 1 user is too few; about 99 more are needed to tell "
        "anything at all (95 % interval of the gain 0.0 to 0.0 %)"
    )
    nothing = "no event could be measured in NDCG@10"
    assert said.splitlines()[-2:] == [f"books: {few}", f"books: {nothing}"]
    write_plot(tmp_path / "p.png", target, arms, "books")
    assert (tmp_path / "p.png").stat().st_size > 0
