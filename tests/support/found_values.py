"""Value another ranker's lists from a logged world, beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.evaluation.impressions.appeal import fit_appeal
from consumers.evaluation.impressions.curves import Curve, learned_curve
from consumers.evaluation.impressions.exposures import Exposed, Exposures
from consumers.evaluation.impressions.figures import estimates
from consumers.evaluation.impressions.log import Log
from consumers.evaluation.impressions.policies import parse_policy
from models.exposure.examination import RANKS, Examination, add_clicks, score
from models.exposure.logged_lists import LoggedLists
from models.exposure.off_policy import RARE
from models.exposure.plackett_luce import pool_of, shown_of
from tests.support.logged_world import LoggedWorld, WorldSettings, log_world

Floats = NDArray[np.float64]


CURVES = ("true", "learned")
"""The examination curve is given, or learned from the log itself, as the command does."""


class Found(NamedTuple):
    """The figures of a log and their truths."""

    figures: dict[str, Any]
    truth: float
    difference: float


def found_in_log(seed: int, settings: WorldSettings, curves: Sequence[str] = CURVES) -> dict[str, Found]:
    """Return what a log tells of the other ranker's best lists, by each of the `CURVES` that is asked for."""
    world = log_world(seed, settings)
    logged = world.drawn(world.scores, settings.temperature, settings.share, seed + 1_000_000)
    target = world.best_first(world.other)
    truth = world.worth(target)
    difference, found = truth - world.worth(logged), {}
    for name in curves:
        curve, errors = _learned(world) if name == "learned" else (_true(settings), None)
        found[name] = Found(_figures(world, logged, target, curve, errors), truth, difference)
    return found


def _true(settings: WorldSettings) -> Curve:
    deeper = np.full(RANKS - len(settings.curve), settings.curve[-1])
    return Curve(np.concatenate([settings.curve, deeper]), "given")


def _figures(
    world: LoggedWorld, logged: Floats, target: Floats, curve: Curve, errors: Floats | None
) -> dict[str, Any]:
    log = _log(world, curve)
    model = fit_appeal(log.places(), world.settings.items)
    appeal = np.empty(world.scores.shape)
    for half in range(2):
        own = world.users % 2 == half
        appeal[own] = model.of(half, world.candidates[own], world.scores[own])
    theta = curve.values[: world.order.shape[1]]
    exposures = (target @ theta, logged @ theta)
    rare = float(exposures[0][exposures[1] < RARE].sum() / exposures[0].sum())
    at = world.order[:, :, None]
    lists = LoggedLists(
        log.clicks, log.shown, log.ranks,
        np.take_along_axis(logged, at, 1), np.take_along_axis(target, at, 1),
        np.take_along_axis(appeal, world.order, 1), np.einsum("nc,ncp->np", appeal, target),
    )  # fmt: skip
    exposed = Exposed(parse_policy("scores:b"), lists, rare)
    return estimates(exposed, Exposures([exposed], errors), log)


def _log(world: LoggedWorld, curve: Curve) -> Log:
    ranks = np.broadcast_to(np.arange(world.order.shape[1]), world.order.shape).copy()
    items = np.take_along_axis(world.candidates, world.order, 1)
    scores = np.take_along_axis(world.scores, world.order, 1)
    users = {str(user): user for user in range(world.settings.users)}
    return Log(world.users, items, ranks, scores, world.clicks, curve, users, {}, {"books": len(items)})


def _learned(world: LoggedWorld) -> tuple[Curve, Floats | None]:
    """Return the curve that the log tells, and what each user adds to its error."""
    by_user = np.zeros((world.settings.users, RANKS, RANKS))
    for n in np.flatnonzero(world.clicks.any(1)):
        pool = pool_of(world.scores[n], world.new[n], world.settings.temperature)
        shown = shown_of(pool, world.order[n])
        add_clicks(shown, world.clicks[n] > 0, world.settings.share, by_user[world.users[n]])
    examination = Examination(1)
    examination.pairs[0] = by_user.sum(0)
    curve = learned_curve(examination)
    return curve, curve.errors(np.stack([score(pairs, curve.values) for pairs in by_user]))
