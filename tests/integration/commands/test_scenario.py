"""`evaluate --scenario` as a user calls it, and a whole scenario on small worlds through the worker processes."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from consumers.config.loader import load
from consumers.evaluation.scenarios.command import run_scenario
from consumers.evaluation.scenarios.world import scenario_world


def evaluate(*words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "consumers.cli", "evaluate", *words]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "missing --interactions, --target; or give --scenario"),
        (("--interactions", "e.csv", "--items", "i.csv"), "missing --target; or give --scenario"),
        (("--scenario", "sudden", "--items", "i.csv"), "--scenario makes its own events; leave out --items"),
        (("--scenario", "sudden", "--strategies", "all"), "leave out --strategies"),
        (("--scenario", "sudden", "--lag-seconds", "1"), "leave out --lag-seconds"),
        (("--interactions", "e.csv", "--target", "a", "--lag-events", "9"), "need --shards of 2 or more"),
        (("--scenario", "storm"), "'storm' is not one of 'sudden', 'gradual', 'recurring', 'stationary'"),
    ],
)
def test_wrong_options_are_named(words: tuple[str, ...], said: str) -> None:
    """The command ends with exit code 2 and says what to do, without a traceback."""
    done = evaluate(*words)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_the_help_has_an_example() -> None:
    """The help shows the options and an example to copy."""
    done = evaluate("--help")
    assert done.returncode == 0
    assert "crosscurrent evaluate --scenario sudden --seeds 5 --json sudden.json" in done.stdout


@pytest.mark.timeout(600)  # four passes in two processes that load torch
def test_a_scenario_runs_its_seeds(tmp_path: Path) -> None:
    """Two worlds, on and off each, in two processes: the table, the first seed's actions, the figures, the plot."""
    out = Console(file=StringIO(), width=120)
    figures = run_scenario(
        "sudden", load(None, need_domains=False), 2, tmp_path / "s.png", out,
        lambda name, seed: msgspec.structs.replace(scenario_world(name, seed), events=800),
    )  # fmt: skip
    assert isinstance(out.file, StringIO)
    printed = out.file.getvalue()
    for word in ("on", "off", "target_only", "floor", "events to recover", "error of the learned bias"):
        assert word in printed
    assert figures["seeds"] == len(figures["actions"]) == 2
    for row in ("on", "off", "target_only"):
        assert figures[row]["error"]["mean"] > figures["floor"]["mean"]
        assert figures[row]["error"]["sd"] > 0
    for action in figures["actions"][0]:
        assert set(action) == {"target_event", "domain", "what", "outcome", "score", "events"}
        assert f"{action['target_event']:+d} {action['domain']} {action['what']}" in printed
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
