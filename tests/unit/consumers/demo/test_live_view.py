"""The live view fits the terminal: no word is cut, and the story has the lines that are left."""

from __future__ import annotations

import io
from collections import Counter, deque
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from consumers.demo.live_view import View
from consumers.report.example import Example, Suggested
from consumers.service.lag import Lag
from models.adaptation.adaptation_loop import Notice
from models.arms.arm_comparison import ArmComparison
from models.assessment.prequential import NDCG_LOSS, RMSE
from models.schema import Domain
from models.settings import LearningSettings

LONG = "A family doctor and the flood warden disagree about the new vaccine"
EXAMPLE = Example(
    "u000050", "opened", "articles", [LONG] * 3, "podcasts", 7,
    [Suggested(f"{LONG} {n}", f"often comes next after “{LONG}” (articles)") for n in range(3)], [LONG] * 3, True,
)  # fmt: skip


@pytest.fixture(scope="module")
def service() -> Any:
    """As it is after some events: both metrics, and more drifts than there is room for."""
    domains = [Domain("articles"), Domain("videos"), Domain("podcasts", "target")]
    arms = ArmComparison(domains, LearningSettings(users=8, items_per_domain=8))
    for metric in (RMSE, NDCG_LOSS):
        rows = arms.prequential.rows(("articles", "videos", "podcasts"), metric, ("full", "target_only"))
        arms.prequential.add(rows.ravel(), rows.ravel() * 0.01 + 0.8)
    notice = Notice("articles", "shorten_half_lives", "promoted", 0.0123, 1424)
    reporter = SimpleNamespace(lag=Lag(), story=deque([(3_000 + n, notice) for n in range(9)]))
    pipeline = SimpleNamespace(totals=Counter(learned=12_084), reporter=reporter)
    return SimpleNamespace(arms=arms, pipeline=pipeline, freshness_ms=[900.0, 1_314.0] * 50)


@pytest.mark.parametrize(
    ("width", "height", "told", "titles"), [(80, 24, 0, 2), (80, 40, 3, 3), (200, 50, 3, 3)]
)
def test_it_fits(width: int, height: int, told: int, titles: int, service: Any) -> None:
    """The user comes before the story, with fewer titles where they are long; every figure is whole."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=height)
    view = View(service, console, SimpleNamespace(example=EXAMPLE))  # type: ignore[arg-type]
    console.print(view.shown())
    lines = out.getvalue().splitlines()
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert "…" not in text
    assert text.count(LONG) == 4 * titles
    assert text.count("promoted after 1,424 events") == told
    (header,) = [line for line in lines if line.startswith("domain")]
    assert header.split() == [
        "domain",
        "role",
        "events",
        "RMSE",
        "without",
        "gain",
        "NDCG@10",
        "without",
        "gain",
        "drifts",
    ]
    assert "podcasts" in text


def test_a_metric_without_a_figure_has_no_column(service: Any) -> None:
    """A world of clicks has no ratings; a source is not compared with itself."""
    clicks = SimpleNamespace(
        **{
            **vars(service),
            "arms": ArmComparison(
                [Domain("a"), Domain("b", "target")], LearningSettings(users=8, items_per_domain=8)
            ),
        }
    )
    rows = clicks.arms.prequential.rows(("a", "b"), NDCG_LOSS, ("full", "target_only"))
    clicks.arms.prequential.add(rows.ravel(), rows.ravel() * 0.0 + 0.75)
    out = io.StringIO()
    console = Console(file=out, width=80, height=24)
    console.print(View(clicks, console).shown())
    assert "RMSE" not in out.getvalue()
    (source,) = [line for line in out.getvalue().splitlines() if line.startswith("a ")]
    assert source.split() == ["a", "source", "0", "0.250"]
