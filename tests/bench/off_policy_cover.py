"""Say how often intervals of off-policy values hold the truth.

    python -m tests.bench.off_policy_cover SEEDS TAU [BOLDNESS [CURVE …]]

Each seed is a log of 20,000 lists of ten among 50 candidates, drawn at temperature TAU with a tenth of the places for
new items, by 1,000 users of unequal activity and habits. The target is another ranker, which puts its best first. The
truth is the mean over all users that could have come. CURVE: `true`, `learned` or both. Printed, for each estimator:
the number of intervals that hold the truth, bias and half width in percent of it, the effective number of lists, and
how many logs were refused. BOLDNESS: see `WorldSettings`.
"""

# ruff: noqa: T201  a script
from __future__ import annotations

import sys

import numpy as np

from consumers.evaluation.impressions.figures import ESTIMATORS
from tests.support.found_values import CURVES, Found, found_in_log
from tests.support.logged_world import WorldSettings


def main(seeds: int, temperature: float, boldness: float, curves: list[str]) -> None:
    """Print the table so far after every tenth seed, and at the end."""
    settings = WorldSettings(temperature=temperature, boldness=boldness)
    found: dict[str, list[Found]] = {name: [] for name in curves}
    for seed in range(seeds):
        for name, one in found_in_log(seed, settings, curves).items():
            found[name].append(one)
        if (seed + 1) % 10 == 0 or seed + 1 == seeds:
            print(f"{seed + 1} logs at temperature {temperature:g}, boldness {boldness:g}")
            for name, so_far in found.items():
                print(f"the {name} curve")
                _print(so_far)
            sys.stdout.flush()


def _print(found: list[Found]) -> None:
    for name in (*ESTIMATORS, "difference"):
        truths = np.array([one.difference if name == "difference" else one.truth for one in found])
        scale = np.mean([one.truth for one in found])
        value, low, high = (
            np.array([one.figures[name][key] for one in found]) for key in ("value", "low", "high")
        )
        held = int(((low <= truths) & (truths <= high)).sum())
        print(
            f"  {name:18} holds {held:4d} of {len(found)}  bias {100 * (value - truths).mean() / scale:+5.1f} %  "
            f"half width {50 * (high - low).mean() / scale:5.1f} %"
        )
    effective, rare = (np.mean([one.figures[key] for one in found]) for key in ("effective", "rare"))
    refused = sum(bool(one.figures["refused"]) for one in found)
    print(
        f"  effective lists {effective:.0f}  hardly logged {100 * rare:.1f} %  refused {refused} of {len(found)}"
    )


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[2:4]]
    main(int(sys.argv[1]), given[0], given[1] if len(given) > 1 else 1.0, sys.argv[4:] or list(CURVES))
