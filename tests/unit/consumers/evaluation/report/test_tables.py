"""The tables say what each column means and which way is better; few events are called few."""

from __future__ import annotations

import numpy as np
import pytest

from consumers.evaluation.metrics import TargetEvents, all_figures
from consumers.evaluation.predictions import ArmOutcome
from consumers.evaluation.report.tables import print_report
from consumers.evaluation.report.verdict import transfer_figures
from consumers.terminal.log import console
from tests.support.evaluated import data_of


def printed(events: int, seeds: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Print the report of three arms; full puts each item first, popularity second."""
    data = data_of(events, 30)
    outcomes = []
    for arm, place in (("full", 0), ("target_only", 1), ("popularity_3d", 1)):
        for seed in range(seeds):
            outcome = ArmOutcome(arm, seed, events)
            outcome.rank[:] = place
            if arm != "popularity_3d":
                outcome.prediction[:] = 1 + np.arange(events) % 5
            outcomes.append(outcome)
    target = TargetEvents(data)
    report = {
        "target": "games", "events": events, "seconds": 1.0, **all_figures(data, target, outcomes),
        "transfer": transfer_figures(data, target, outcomes),
    }  # fmt: skip
    print_report(report, console())
    return capsys.readouterr().out.splitlines()


def test_every_column_is_explained_above_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    """The words come before the table. An arm without text is named, and the last lines are the verdict."""
    said = printed(400, 1, capsys)
    assert said[0] == "games: 400 events of 30 users (30 also in movies), 1 s"
    for title, names, better in (
        ("Ratings", ("RMSE", "95 %", "first five", "MAE", "accuracy"), 4),
        ("Ranking", ("NDCG@10", "95 %", "HR@10", "MRR", "coverage"), 5),
    ):
        at = next(n for n, line in enumerate(said) if line.startswith(title))
        head = next(n for n in range(at, len(said)) if said[n].startswith(" arm "))
        explained = said[at + 1 : head]
        assert all(any(line.startswith(f"  {name} ") for line in explained) for name in names)
        assert all(name in said[head] for name in names)
        assert sum(line.endswith("better") or line.endswith("variety") for line in explained) == better
    assert any("this arm ranks nothing: no item of the target has text" in line for line in said)
    assert not any("standard deviation" in line for line in said)
    assert any(line.endswith("than popularity_3d: better") for line in said)
    assert [line.partition(":")[0] for line in said[-2:]] == ["games", "games"]


def test_few_events_are_no_verdict_and_seeds_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(60, 2, capsys)
    assert any(line.endswith("than popularity_3d: 60 events are too few to tell") for line in said)
    assert any(line.startswith("  ±") and "standard deviation over seeds" in line for line in said)
