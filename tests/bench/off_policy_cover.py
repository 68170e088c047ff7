"""Say how often intervals of off-policy values hold the truth: `python -m tests.bench.off_policy_cover SEEDS TAU`.

Each seed is a log of 20,000 lists of ten among 50 candidates, drawn at temperature TAU with a tenth of the places for
new items, by 1,000 users of unequal activity and habits. The target is another ranker, which puts its best first. The
truth is the mean over all users that could have come. Printed, for each estimator: the number of intervals that hold
it, with the true examination curve and with the one learned from the log, bias and half width in percent of the truth,
the effective number of lists, and how many logs were refused.
"""

# ruff: noqa: T201  a script
from __future__ import annotations

import sys

import numpy as np

from consumers.evaluation.impressions.figures import ESTIMATORS
from tests.support.found_values import Found, found_in_log
from tests.support.logged_world import WorldSettings


def main(seeds: int, temperature: float) -> None:
    """Print the table so far after every tenth seed, and at the end."""
    found: dict[bool, list[Found]] = {True: [], False: []}
    for seed in range(seeds):
        for known, one in zip(found, found_in_log(seed, WorldSettings(temperature=temperature)), strict=True):
            found[known].append(one)
        if (seed + 1) % 10 == 0 or seed + 1 == seeds:
            print(f"{seed + 1} logs at temperature {temperature}")
            for known, so_far in found.items():
                print("the true curve" if known else "the learned curve")
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
    main(int(sys.argv[1]), float(sys.argv[2]))
