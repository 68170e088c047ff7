"""promtool tests every shipped Prometheus rule, and each alert has what it needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

from serving.metrics import FRESHNESS_BUCKETS, Metrics
from serving.shard_metrics import ShardMetrics

DEPLOY = Path(__file__).parents[2] / "deploy"
FOLDER = DEPLOY / "prometheus"
TESTS = ("alerts_test.yaml", "budgets_test.yaml", "week_test.yaml")


def rules(name: str) -> list[dict[str, Any]]:
    return [
        rule for group in yaml.safe_load((FOLDER / name).read_text())["groups"] for rule in group["rules"]
    ]


ALERTS = {rule["alert"]: rule for rule in rules("alerts.yaml")}
ALERT = pytest.mark.parametrize("name", ALERTS)


def promtool(missing: Callable[[object], NoReturn], *words: str) -> subprocess.CompletedProcess[str]:
    if (binary := shutil.which("promtool")) is None:
        missing("promtool is not on PATH: apt-get install prometheus")
    return subprocess.run([binary, *words], cwd=FOLDER, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("file", TESTS)
def test_promtool_tests(file: str, missing: Callable[[object], NoReturn]) -> None:
    """Every alert fires when it should, with its words, and is silent when it should be."""
    done = promtool(missing, "test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_config(missing: Callable[[object], NoReturn]) -> None:
    """promtool accepts prometheus.yaml and the rules that it names."""
    done = promtool(missing, "check", "config", "prometheus.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_has_its_test() -> None:
    """Each alert is tested to fire and to be silent, each recorded series by a value."""
    text = "".join((FOLDER / name).read_text() for name in TESTS)
    tests = [
        case
        for name in TESTS
        for test in yaml.safe_load((FOLDER / name).read_text())["tests"]
        for case in test.get("alert_rule_test", ())
    ]
    assert {case["alertname"] for case in tests if case["exp_alerts"]} == set(ALERTS)
    silent = {case["alertname"] for case in tests if not case["exp_alerts"]}
    assert silent == set(ALERTS)
    assert not {rule["record"] for rule in rules("rules.yaml") if f"({rule['record']}" not in text}


@ALERT
def test_an_alert_says_how_bad_what_and_where_to_read_on(name: str) -> None:
    """Each alert has the severity page or ticket, a summary, a description, and a section in the runbook."""
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"].endswith(".")
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert page == '{{ or $externalLabels.runbook "https://crosscurrent.example/runbook/" }}'  # always a URL
    headings = re.findall(r"^#+ (\w+)$", (DEPLOY / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert anchor == name.lower()
    assert anchor in {heading.lower() for heading in headings}


def test_rules_use_metrics_that_are_exported() -> None:
    """A renamed metric would silence its alerts."""
    registry = Metrics().registry
    ShardMetrics(registry)
    families = list(registry.collect())
    known = {m.name + ("_total" if m.type == "counter" else "") for m in families}
    known |= {
        f"{m.name}_{part}" for m in families if m.type == "histogram" for part in ("bucket", "count", "sum")
    }
    used = set(
        re.findall(
            r"\bcrosscurrent_\w+",
            " ".join(r["expr"] for f in ("rules.yaml", "alerts.yaml") for r in rules(f)),
        )
    )
    assert used
    assert not used - known


def test_the_freshness_objective_is_a_bucket() -> None:
    """Otherwise Prometheus would have to estimate the share of late events."""
    assert 2.5 in FRESHNESS_BUCKETS
    assert all('le="2.5"' in rule["expr"] for rule in rules("rules.yaml") if "bucket" in rule["expr"])
