"""Compute the figures of `evaluate --scenario` from what the arms predicted in a simulated world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from consumers.evaluation.metrics import mean_and_sd
from consumers.evaluation.scenarios.run import EARLY, Floats, Happening, Trace
from consumers.evaluation.scenarios.world import drift_begins, first_measured
from consumers.simulator.world import World
from consumers.simulator.world_settings import WorldSettings
from models.adaptation.drift_detectors import Detector
from models.assessment.prequential import NDCG_LOSS, RMSE

ROLLING_EVENTS = 500
"""Latest events of the target over which the rolling error is computed."""
RECOVERED = 1.05
"""The rolling error has recovered when it is at most this many times the floor."""
WARM_UP_EVENTS = 5_000
"""Events at the beginning of the stream, where no alarm counts as false: new learning may look like drift."""
ROWS = {"on": "followed", "off": "full", "target_only": "target_only"}
"""Rows of the report, and the arm whose error each row shows. `on` is the arm that the arm selector follows."""
RANKED = ("full", "popularity", "target_only")


class Pair(NamedTuple):
    """One world, learned with adaptation and without."""

    world: WorldSettings
    on: Trace
    off: Trace

    def errors(self, row: str) -> Floats:
        """Return the squared errors of a row of the report: (events of the target,)."""
        return (self.off if row == "off" else self.on).losses[RMSE, ROWS[row]]

    def since(self) -> int:
        """Return how many of the target's events come before the measured ones."""
        return first_measured(World(self.world), self.on.position)


def rolling(squared: Floats) -> Floats:
    """Return, at each of the n values, the root mean square of the last `ROLLING_EVENTS`, or of all so far."""
    total = np.cumsum(np.insert(squared, 0, 0.0))
    first = np.maximum(np.arange(len(squared)) - ROLLING_EVENTS + 1, 0)
    means = (total[1:] - total[first]) / (np.arange(len(squared)) + 1 - first)
    return np.sqrt(np.maximum(means, 0.0))


def recovery_events(squared: Floats, since: int, floor: float) -> int:
    """Count the events from `since` on until the error has recovered. If it never does, count all that are left.

    It has recovered once the root mean square of the last `ROLLING_EVENTS` errors is at most `RECOVERED` times the
    floor. A window that begins before the shift holds errors from before it too.
    """
    recovered = np.flatnonzero(rolling(squared)[since:] <= RECOVERED * floor)
    return int(recovered[0]) + 1 if len(recovered) else len(squared) - since


def false_alarms(world: WorldSettings, happenings: Sequence[Happening]) -> float:
    """Return the alarms of all detectors and domains per 100,000 events, from `WARM_UP_EVENTS` on until the shift."""
    begins = drift_begins(World(world))
    end = world.events if begins is None else begins
    first = min(WARM_UP_EVENTS, end // 2)
    alarms = sum(h.notice.event in get_args(Detector) and first <= h.position < end for h in happenings)
    return alarms * 1e5 / (end - first)


def scenario_figures(scenario: str, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return every figure as its mean and standard deviation over the seeds, which are `pairs`."""
    figures: dict[str, Any] = {"scenario": scenario, "seeds": len(pairs)}
    sinces = [pair.since() for pair in pairs]
    floors = [root(pair.on.honest[since:]) for pair, since in zip(pairs, sinces, strict=True)]
    for row in ROWS:
        errors = [pair.errors(row) for pair in pairs]
        # Only the learner that adapts has detectors.
        alarms = [false_alarms(p.world, p.on.happenings) if row == "on" else 0.0 for p in pairs]
        figures[row] = {
            "error": _over_seeds([root(e[since:]) for e, since in zip(errors, sinces, strict=True)]),
            "recovery_events": _over_seeds(
                [recovery_events(*one) for one in zip(errors, sinces, floors, strict=True)]
            ),
            "false_alarms_per_100k": _over_seeds(alarms),
        }
    figures["floor"] = _over_seeds(floors)
    figures["bias_error"] = _over_seeds([abs(pair.on.bias) for pair in pairs])
    figures["bias_error_all_pairs"] = _over_seeds([abs(pair.on.bias_all) for pair in pairs])
    if all((NDCG_LOSS, "full") in pair.on.losses for pair in pairs):
        figures["ranking"] = _ranking([pair.on for pair in pairs])
    figures["actions"] = [_actions(p, since) for p, since in zip(pairs, sinces, strict=True)]
    return figures


def _ranking(traces: Sequence[Trace]) -> dict[str, Any]:
    """Return NDCG@10 over all ranked events of the target, and over those of new or cold users and cold items.

    The learner has no events of a new user, so no order can be better than the items' true popularity.
    """
    groups = {
        "all": [np.ones(len(t.position), np.bool_) for t in traces],
        "new_users": [t.user_events == 0 for t in traces],
        "cold_users": [t.user_events < EARLY for t in traces],
        "cold_items": [t.item_events < EARLY for t in traces],
    }
    found: dict[str, Any] = {}
    for name, wheres in groups.items():
        ranked = [w & np.isfinite(t.losses[NDCG_LOSS, "full"]) for w, t in zip(wheres, traces, strict=True)]
        found[name] = {
            arm: _over_seeds(
                [_gain(t.losses[NDCG_LOSS, arm], w) for t, w in zip(traces, ranked, strict=True)]
            )
            for arm in RANKED
        } | {"n": _over_seeds([int(w.sum()) for w in ranked])}
    return found


def _gain(losses: Floats, where: NDArray[np.bool_]) -> float:
    return float(1.0 - losses[where].mean()) if where.any() else 0.0


def _actions(pair: Pair, since: int) -> list[dict[str, Any]]:
    """Return what the loop did. `target_event` counts from the first measured event, below 0 before it."""
    return [
        {
            "target_event": happening.after - since,
            "domain": notice.domain,
            "what": notice.event,
            "outcome": notice.outcome or ("begun" if notice.started else "detected"),
            "score": round(notice.score, 4),
            "events": notice.events,
        }
        for happening in pair.on.happenings
        for notice in (happening.notice,)
    ]


def root(squared: Floats) -> float:
    return float(np.sqrt(squared.mean()))


def _over_seeds(values: Sequence[float]) -> dict[str, float]:
    """Return the mean and the standard deviation of a figure."""
    return dict(zip(("mean", "sd"), mean_and_sd(values), strict=True))
