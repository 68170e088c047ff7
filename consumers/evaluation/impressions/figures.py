"""Turn exposures into figures: values with intervals, or why there are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consumers.evaluation.impressions.exposures import Exposed, Exposures
from consumers.evaluation.impressions.log import Log
from models.exposure.logged_lists import slope
from models.exposure.off_policy import (
    Estimate,
    Lists,
    as_logged,
    doubly_robust,
    effective_lists,
    exposure_weighted,
    falls_below_a_click,
    interval,
    refusal,
    self_normalised,
)

Floats = NDArray[np.float64]

ESTIMATORS: dict[str, Callable[[Lists], Estimate]] = {
    "doubly_robust": doubly_robust,
    "self_normalised": self_normalised,
    "exposure_weighted": exposure_weighted,
}
SURE = "doubly_robust"
"""The estimator whose difference from the logged lists is told."""


def log_figures(log: Log) -> dict[str, Any]:
    """Return what the log is, what its own lists are worth, and whether its clicks fit the click model."""
    below = falls_below_a_click(log.clicks, log.shown)
    none = np.zeros_like(log.clicks)
    own = as_logged(Lists(log.clicks, none, none, none, none[:, 0]))
    return {
        "impressions": len(log.users),
        "users": len(np.unique(log.users)),
        "clicks": int(log.clicks.sum()),
        "places": int(log.shown.sum(1).max()),
        "domains": log.lists,
        "curve": {
            "source": log.curve.source,
            "values": log.curve.values[: int(log.ranks.max()) + 1].tolist(),
        },
        "below_a_click": {
            "ratio": None if np.isnan(below.ratio) else below.ratio,
            "seen": below.seen,
            "expected": below.expected,
            "doubtful": below.doubtful,
        },
        "logged": interval(own, log.users)._asdict(),
    }


def policy_figures(exposed: Exposed, exposures: Exposures, log: Log) -> dict[str, Any]:
    """Return the values of a policy. If it is refused, they are None: no figure should be believed."""
    found = estimates(exposed, exposures, log)
    if found["refused"]:
        return dict.fromkeys([*ESTIMATORS, "difference"]) | {
            key: found[key] for key in ("effective", "rare", "refused")
        }
    return found


def estimates(exposed: Exposed, exposures: Exposures, log: Log) -> dict[str, Any]:
    """Return the values of a policy, whether it is refused or not."""
    curve = log.curve.values
    lists = exposed.logged.lists(curve)
    effective = effective_lists(lists)
    out: dict[str, Any] = {
        "effective": effective, "rare": exposed.rare, "refused": refusal(effective, exposed.rare, len(log.users)),
    }  # fmt: skip
    noises = _noises(exposed, exposures.errors, curve)
    for (name, estimator), noise in zip(ESTIMATORS.items(), noises, strict=True):
        found = estimator(lists)
        out[name] = interval(found, log.users, noise)._asdict()
        if name == SURE:
            out["difference"] = interval(found - as_logged(lists), log.users, noise)._asdict()
    return out


def _noises(exposed: Exposed, errors: Floats | None, curve: Floats) -> Sequence[Floats | None]:
    """Return what each user adds to the error of each estimator's value by their part in the curve, (users,) each."""
    if errors is None:
        return [None] * len(ESTIMATORS)

    def values(other: Floats) -> Floats:
        lists = exposed.logged.lists(other)
        return np.array([estimator(lists).value for estimator in ESTIMATORS.values()])

    deepest = int(exposed.logged.ranks.max()) + 1
    noises: Floats = errors[:, :deepest] @ slope(values, curve[:deepest])
    return list(noises.T)
