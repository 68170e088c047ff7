"""Run `crosscurrent evaluate --impressions`: read the log, value every policy, print, return the figures."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console

from consumers.errors import BUG
from consumers.evaluation.impressions.curves import parse_curve
from consumers.evaluation.impressions.exposures import DRAWS, read_exposures
from consumers.evaluation.impressions.figures import log_figures, policy_figures
from consumers.evaluation.impressions.log import read_log
from consumers.evaluation.impressions.options import ImpressionOptions
from consumers.evaluation.impressions.policies import parse_policy
from consumers.evaluation.impressions.report import print_values
from consumers.terminal import log as terminal
from consumers.terminal import progress


def run_impressions(
    options: ImpressionOptions, console: Console | None = None, draws: int = DRAWS
) -> tuple[int, dict[str, Any]]:
    """Value the policies. Return (exit code, figures). The code is 1 if a policy is refused. Raises Stop."""
    console, begun = console or terminal.console(), time.monotonic()
    policies, curve = (
        [parse_policy(text) for text in dict.fromkeys(options.policies)],
        parse_curve(options.curve),
    )
    with progress.bars(console) as bars:
        reading = bars.add_task("reading the impressions", total=None, unit="lists")
        log = read_log(options, curve, lambda n: bars.update(reading, completed=n))
        size = sum(log.lists.values())
        drawing = bars.add_task("drawing lists of the policies", total=size, unit="lists")
        exposures = read_exposures(options, log, policies, draws, lambda n: bars.update(drawing, completed=n))
    found = {one.policy.text: policy_figures(one, exposures, log) for one in exposures.policies}
    figures = {
        "target": options.target,
        **log_figures(log),
        "policies": found,
        "seconds": round(time.monotonic() - begun, 1),
    }
    print_values(figures, console)
    return BUG if any(one["refused"] for one in found.values()) else 0, figures
