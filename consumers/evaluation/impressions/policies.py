"""Parse what `--policy` names, and tell how often a policy shows each candidate at each place."""

from __future__ import annotations

from math import inf
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.errors import Stop
from consumers.evaluation.impressions.logged_list import BadLineError, LoggedList, as_chances, as_scores
from models.exposure.place_chances import best_first, drawn_chances
from models.exposure.plackett_luce import pool_of

Floats = NDArray[np.float64]

FORMS = "greedy, uniform, plackett-luce:TAU[:SHARE], scores:NAME[:TAU[:SHARE]] or probabilities:NAME"


class Policy(NamedTuple):
    """A way to make lists of logged candidates.

    kind: `scores` ranks by the scores called `name`, or by the logged ones if that is empty: best first if the
    temperature is 0, else drawn, with a share of places for new items.
    """

    text: str
    kind: Literal["uniform", "scores", "probabilities"]
    name: str = ""
    temperature: float = 0.0
    share: float = 0.0


def parse_policy(text: str) -> Policy:
    """Return the policy that a text names. Raises Stop.

    >>> parse_policy("plackett-luce:0.1:0.05")
    Policy(text='plackett-luce:0.1:0.05', kind='scores', name='', temperature=0.1, share=0.05)
    """
    word, *rest = text.split(":")
    if word in ("greedy", "uniform") and not rest:
        return Policy(text, "uniform" if word == "uniform" else "scores")
    if word == "plackett-luce" and 1 <= len(rest) <= 2:
        return Policy(text, "scores", "", *_drawn(text, rest))
    if word == "scores" and 1 <= len(rest) <= 3 and rest[0]:
        return Policy(text, "scores", rest[0], *(_drawn(text, rest[1:]) if rest[1:] else (0.0, 0.0)))
    if word == "probabilities" and len(rest) == 1 and rest[0]:
        return Policy(text, "probabilities", rest[0])
    raise Stop(f"--policy {text}: write {FORMS}")


def _drawn(text: str, words: list[str]) -> tuple[float, float]:
    """Return temperature and share. Raises Stop."""
    try:
        temperature, share = float(words[0]), float(words[1]) if words[1:] else 0.0
    except ValueError as error:
        raise Stop(f"--policy {text}: TAU and SHARE are numbers; write {FORMS}") from error
    if not 0 < temperature < inf or not 0 <= share <= 1:
        raise Stop(f"--policy {text}: TAU must be above 0, and SHARE from 0 to 1")
    return temperature, share


def logged_chances(logged: LoggedList, uniform: Floats) -> Floats:
    """Return the chance of each candidate at each shown place, (n, k), under the policy that made the list.

    uniform: (draws, 2, places) numbers in [0, 1), for places down to the deepest that is shown.
    """
    if logged.chances is not None:
        return logged.chances
    if logged.pool is None:
        raise ValueError("a list has a pool or chances")
    return drawn_chances(logged.pool, logged.share, uniform)


def target_chances(policy: Policy, logged: LoggedList, uniform: Floats) -> Floats:
    """Return the same under a policy on the same candidates. Raises BadLineError if the line lacks what it needs."""
    pool = logged.line.pool
    candidates, places = len(pool.items), len(logged.ranks)
    if policy.kind == "uniform":
        return np.full((candidates, places), 1.0 / candidates)
    if policy.kind == "probabilities":
        name, rows = f"pool.other_probabilities.{policy.name}", pool.other_probabilities.get(policy.name)
        if rows is None:
            raise BadLineError(f"{name} is missing (--policy {policy.text})")
        return as_chances(rows, name, len(logged.line.items), candidates)[:, logged.rows]
    scores = _scores(policy, logged)
    if not policy.temperature:
        return best_first(scores, uniform.shape[2])[:, logged.ranks]
    drawn = drawn_chances(pool_of(scores, logged.new, policy.temperature), policy.share, uniform)
    return drawn[:, logged.ranks]


def _scores(policy: Policy, logged: LoggedList) -> Floats:
    pool = logged.line.pool
    if policy.name:
        name, found = f"pool.other_scores.{policy.name}", pool.other_scores.get(policy.name)
    else:
        name, found = "pool.scores", pool.scores
    if found is None:
        raise BadLineError(f"{name} is missing (--policy {policy.text})")
    return as_scores(found, name, len(pool.items))
