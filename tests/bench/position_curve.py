"""Say how near the learned examination curve comes to the truth.

    python -m tests.bench.position_curve [SEEDS] [TEMPERATURE]

A list holds 20 of 40 candidates, drawn as `ranker.explore = 1` draws them. Two truths: 1 / rank^0.7, which is the prior
too, and a curve with a fold after the sixth rank. Two logs: 150,000 lists with .3 clicks each, and 50,000 with 1.4.
Printed, for each seed: the largest relative error of the common curve of two domains over ranks 2 to 20.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from models.exposure.examination import prior_curve
from models.learning.shown.exploration import TEMPERATURE
from tests.support.shown_lists import FOLD, Lists, learned_curve

Floats = NDArray[np.float64]
TRUTHS = {"1 / rank^0.7": prior_curve(), "with a fold": FOLD / FOLD[0]}
LOGS = ((150_000, 0.3), (50_000, 1.4))
SAMPLE = 2_000


def base_for(truth: Floats, clicks: float, temperature: float) -> float:
    """Return the log odds of the mean item with which a list gets this many clicks, by bisection on other lists."""
    low, high = -8.0, 4.0
    for _ in range(10):
        middle = (low + high) / 2
        if learned_curve(truth, Lists(SAMPLE, temperature, middle), 10**6)[1] < clicks:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def main(seeds: int, temperature: float) -> None:
    for name, truth in TRUTHS.items():
        for lists, clicks in LOGS:
            base = base_for(truth, clicks, temperature)
            for seed in range(seeds):
                found, told = learned_curve(truth, Lists(lists, temperature, base), seed)
                error = np.abs(found.pooled / truth - 1)[1:].max()
                print(
                    f"{name:13} {lists:7,} lists of {told:.2f} clicks, seed {seed}: largest error {100 * error:.1f} %",
                    flush=True,
                )


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 5, float(sys.argv[2]) if len(sys.argv) > 2 else TEMPERATURE
    )
