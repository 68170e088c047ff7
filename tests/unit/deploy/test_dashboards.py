"""The committed dashboards are those of the code, and Grafana accepts them."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from deploy.grafana.build import BOARDS, FOLDER, text
from serving.metrics import Metrics
from serving.shard_metrics import ShardMetrics

BOARD = pytest.mark.parametrize("name", BOARDS)


def panels(board: Any) -> list[Any]:
    return [p for p in board["panels"] if p["type"] != "row"]


@BOARD
def test_the_committed_json_is_current(name: str) -> None:
    """The committed JSON is current; after a change run python -m deploy.grafana.build."""
    assert (FOLDER / f"{name}.json").read_text() == text(name)


def test_no_file_without_a_dashboard() -> None:
    """No file is left of a dashboard that the code no longer makes."""
    assert {path.stem for path in FOLDER.iterdir()} == set(BOARDS)


@BOARD
def test_the_json_is_of_grafanas_model(name: str) -> None:
    """Every field survives reading as the SDK's model and writing."""
    given = json.loads(text(name))
    again = json.loads(json.dumps(dashboard.Dashboard.from_json(given), cls=JSONEncoder))
    for annotation in given["annotations"]["list"]:  # fields that the SDK's model lacks
        for extra in ("titleFormat", "textFormat", "step"):
            del annotation[extra]
    assert again == given


@BOARD
def test_panels_have_their_own_id_and_place(name: str) -> None:
    """Ids are unique; no panel covers another or leaves the grid of 24 columns."""
    board = json.loads(text(name))
    ids = [p["id"] for p in board["panels"]]
    assert len(set(ids)) == len(ids)
    places = [p["gridPos"] for p in board["panels"]]
    assert all(p["x"] >= 0 and p["x"] + p["w"] <= 24 for p in places)
    for a, b in itertools.combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert beside or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (a, b)


@BOARD
def test_every_panel_explains_itself(name: str) -> None:
    """Each panel has a title, a unit, and a description that says what it shows and what to do."""
    for panel in panels(json.loads(text(name))):
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["description"].count(".") + panel["description"].count(";") >= 2, panel["title"]


def test_the_overview_fits_one_screen() -> None:
    """Twenty grid rows are about 760 pixels."""
    board = json.loads(text("overview"))
    assert max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in board["panels"]) <= 20


def test_every_metric_is_on_a_dashboard() -> None:
    """Every exported metric is on a dashboard."""
    shown = "".join(text(name) for name in BOARDS)
    registry = Metrics().registry
    ShardMetrics(registry)
    exported = {metric.name for metric in registry.collect()}
    assert not {name for name in exported if name not in shown}


def test_runbook_sections_that_panels_name_exist() -> None:
    """`runbook, X` names a heading of deploy/docs/runbook.md."""
    runbook = (FOLDER.parents[1] / "docs" / "runbook.md").read_text()
    named = set(re.findall(r"[Rr]unbook, (Crosscurrent\w+|[A-Z][\w ]+)", "".join(map(text, BOARDS))))
    assert named
    assert not {name for name in named if f"# {name}\n" not in runbook}
