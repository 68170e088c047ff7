"""Read a file of impressions for the second time: how much each policy would have exposed what was shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.errors import Stop
from consumers.evaluation.impressions.appeal import AppealModel, fit_appeal
from consumers.evaluation.impressions.log import Log
from consumers.evaluation.impressions.logged_list import BadLineError, LoggedList, read_lists
from consumers.evaluation.impressions.options import ImpressionOptions
from consumers.evaluation.impressions.policies import Policy, logged_chances, target_chances
from models.exposure.examination import RANKS, add_clicks, score
from models.exposure.logged_lists import LoggedLists
from models.exposure.off_policy import RARE
from models.exposure.plackett_luce import shown_of

Floats = NDArray[np.float64]

DRAWS = 100
"""Lists that are drawn anew for the exposures of each logged one."""
SEED = 0


class Exposed(NamedTuple):
    """What the log tells of one policy. rare: the share of its exposure on items that were hardly logged."""

    policy: Policy
    logged: LoggedLists
    rare: float


class Exposures(NamedTuple):
    """What the log tells of all policies. errors: (users, RANKS) of the curve; None if it is taken as it is."""

    policies: list[Exposed]
    errors: Floats | None


def read_exposures(
    options: ImpressionOptions,
    log: Log,
    policies: Sequence[Policy],
    draws: int = DRAWS,
    tell: Callable[[int], object] = lambda _: None,
) -> Exposures:
    """Read the file again, and draw lists of every policy. Raises Stop if a line lacks what a policy needs.

    tell: see `read_lists`.
    """
    rng, model = np.random.default_rng(SEED), fit_appeal(log.places(), len(log.item_numbers))
    own = np.zeros((*log.items.shape, log.items.shape[1]), np.float32)
    found = [_Exposing(log, own) for _ in policies]
    scores, n = np.zeros((len(log.user_numbers), RANKS)), 0
    for number, whole in read_lists(options.file, tell):
        logged = whole.first(options.top)
        if log.curve.pairs is not None and logged.pool is not None and logged.clicks.any():
            scores[log.user_numbers[logged.user]] += _curve_score(logged, log.curve.values)
        if options.target not in (None, logged.domain) or not len(logged.ranks):
            continue
        appeal = _appeal(log, model, logged)
        # Log and targets share the draws, so that a policy near to the logged one differs by little chance.
        uniform = rng.random((draws, 2, int(logged.ranks.max()) + 1))
        shown = logged_chances(logged, uniform)
        own[n, : len(logged.order), : len(logged.order)] = shown[logged.order]
        for exposing, policy in zip(found, policies, strict=True):
            try:
                chances = target_chances(policy, logged, uniform)
            except BadLineError as error:
                raise Stop(f"--impressions {options.file}, line {number}: {error}") from error
            exposing.add(n, logged, shown, chances, appeal)
        n += 1
    exposed = [one.done(policy) for one, policy in zip(found, policies, strict=True)]
    return Exposures(exposed, log.curve.errors(scores))


def _curve_score(logged: LoggedList, curve: Floats) -> Floats:
    """Return the list's part in the slope of the curve's likelihood, (RANKS,)."""
    if logged.pool is None:
        return np.zeros(RANKS)
    pairs = np.zeros((RANKS, RANKS))
    add_clicks(shown_of(logged.pool, logged.order), logged.clicks, logged.share, pairs)
    return score(pairs, curve)


def _appeal(log: Log, model: AppealModel, logged: LoggedList) -> Floats:
    """Return the appeal of every candidate of a list."""
    names = logged.line.pool.items
    numbers = np.array([log.item_numbers.get((logged.domain, name), -1) for name in names])
    scores = np.zeros(len(names)) if logged.scores is None else logged.scores
    return model.of(log.user_numbers[logged.user], numbers, scores)


class _Exposing:
    """The exposures of one policy so far. own: those of the logged one, which all policies share."""

    def __init__(self, log: Log, own: NDArray[np.float32]) -> None:
        n, places = log.items.shape
        self.log, self.own = log, own
        self.target = np.zeros_like(own)
        self.appeal, self.worth = np.zeros((n, places)), np.zeros((n, places))
        self.rare, self.total = 0.0, 0.0

    def add(self, n: int, logged: LoggedList, shown: Floats, chances: Floats, appeal: Floats) -> None:
        """Add the list of number n. shown, chances: (candidates, places) under the log and the policy."""
        length, order = len(logged.order), logged.order
        self.target[n, :length, :length] = chances[order]
        self.appeal[n, :length] = appeal[order]
        self.worth[n, :length] = appeal @ chances
        theta = self.log.curve.values[logged.ranks]
        exposure = chances @ theta
        self.total += float(exposure.sum())
        self.rare += float(exposure[shown @ theta < RARE].sum())

    def done(self, policy: Policy) -> Exposed:
        log = self.log
        logged = LoggedLists(log.clicks, log.shown, log.ranks, self.own, self.target, self.appeal, self.worth)
        return Exposed(policy, logged, self.rare / self.total if self.total else 0.0)
