"""Write the dashboards that Grafana loads: `python -m deploy.grafana.build`, after a change to any of them.

The JSON is committed, so that Grafana needs none of this; tests/unit/deploy/test_dashboards.py proves it current.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from grafana_foundation_sdk.builders import dashboard as built
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from deploy.grafana import drift, learning, overview, pipeline, shards
from deploy.grafana.panels import DOMAIN, JOB, SOURCE, Builder

FOLDER = Path(__file__).parent / "dashboards"


class Board(NamedTuple):
    """One dashboard. `rows`: a heading (empty: none) and its panels, left to right."""

    title: str
    text: str
    rows: list[tuple[str, list[Builder]]]
    more: list[built.QueryVariable] = []  # noqa: RUF012  (never changed)


BOARDS = {
    "overview": Board(
        "Crosscurrent: overview", "Healthy, fresh, better than without transfer?", overview.ROWS
    ),
    "learning": Board("Crosscurrent: learning", "How well it learns, and what transfer adds.", learning.ROWS),
    "drift": Board(
        "Crosscurrent: drift", "What changed in the world, and what was done about it.", drift.ROWS
    ),
    "pipeline": Board(
        "Crosscurrent: pipeline", "From the log to the store.", pipeline.ROWS, [pipeline.STAGE]
    ),
    "shards": Board(
        "Crosscurrent: shards", "Several processes that are one service. Empty for a single one.", shards.ROWS
    ),
}


class Event(dashboard.AnnotationQuery):
    """An annotation that says what it marks; the SDK's model lacks these fields."""

    def to_json(self) -> dict[str, object]:
        words = "{{domain}} {{detector}}{{action}} {{outcome}}"
        return super().to_json() | {"titleFormat": self.name, "textFormat": words, "step": "60s"}


class _Events(built.AnnotationQuery):
    def __init__(self, name: str, color: str, expr: str) -> None:
        super().__init__()
        self._internal = Event(name, SOURCE, icon_color=color, expr=expr)


def build(name: str) -> dashboard.Dashboard:
    """Return the dashboard as the SDK's model."""
    board = BOARDS[name]
    made = built.Dashboard(board.title).uid(f"crosscurrent-{name}").description(board.text)
    made = made.tags(["crosscurrent"]).time("now-3h", "now").refresh("30s").timezone("browser").editable()
    made = made.tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    link = built.DashboardLink("Crosscurrent").type(dashboard.DashboardLinkType.DASHBOARDS).as_dropdown(True)
    made = made.link(link.tags(["crosscurrent"]).include_vars(True).keep_time(True))
    made = made.with_variable(built.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    every = dashboard.VariableOption(True, "All", "$__all")
    for variable in [*_common(), *board.more]:
        made = made.with_variable(
            variable.datasource(SOURCE)
            .current(every)
            .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        )
    drifts = f"sum by (domain, detector) (increase(crosscurrent_drift_total{{{DOMAIN}}}[1m])) > 0"
    verdicts = f"sum by (domain, action, outcome) (increase(crosscurrent_adaptation_actions_total{{{DOMAIN}}}[1m])) > 0"
    restarts = f"changes(process_start_time_seconds{{{JOB}}}[1m]) > 0"
    made = made.annotation(_Events("Drift", "red", drifts)).annotation(_Events("Verdict", "blue", verdicts))
    made = made.annotation(_Events("Restart", "gray", restarts))
    number = 0
    for title, panels in board.rows:
        if title:
            number += 1
            made = made.with_row(built.Row(title).id(number))
        for panel in panels:
            number += 1
            made = made.with_panel(panel.id(number))
    return made.build()


def _common() -> list[built.QueryVariable]:
    # All jobs means all of ours: `.*` would also take in process_* of everything else.
    job = built.QueryVariable("job").label("Job").query("label_values(crosscurrent_ready, job)")
    domain = built.QueryVariable("domain").label("Domain").all_value(".*")
    domain = domain.query(f"label_values(crosscurrent_freshness_seconds_count{{{JOB}}}, domain)")
    return [v.multi(True).include_all(True) for v in (job, domain)]


def text(name: str) -> str:
    """Return the dashboard as it is committed."""
    return json.dumps(build(name), cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for each in BOARDS:
        (FOLDER / f"{each}.json").write_text(text(each), encoding="utf-8")
