"""Compare the policies of closed loops: each figure beside that of the greedy policy, over seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from consumers.evaluation.closed_loop.passes import POLICIES, Policy
from consumers.evaluation.closed_loop.tally import Outcome
from consumers.evaluation.metrics import mean_and_sd

Outcomes = Mapping[Policy, Outcome]
"""The figures of every policy in one world."""


def shortfall(outcomes: Outcomes, policy: Policy) -> float:
    """Return the clicks that a policy lacks, compared with a ranker that knows all appeals."""
    return outcomes["informed"].clicks - outcomes[policy].clicks


def _ratio(value: float, base: float) -> float:
    return value / base if base else float("nan")


RATIOS: dict[str, Callable[[Outcomes, Policy], float]] = {
    "shortfall": lambda o, p: _ratio(shortfall(o, p), shortfall(o, "greedy")),
    "regret": lambda o, p: _ratio(o[p].regret, o["greedy"].regret),
    "clicks": lambda o, p: _ratio(o[p].clicks, o["greedy"].clicks),
    "last_fifth": lambda o, p: _ratio(o[p].last_fifth, o["greedy"].last_fifth),
    "gini_less": lambda o, p: o["greedy"].gini - o[p].gini,
    "shows_20": lambda o, p: _ratio(o[p].shows_20, o["greedy"].shows_20),
    "good": lambda o, p: _ratio(o[p].good, o["greedy"].good),
}
"""How each figure is compared with that of the greedy policy: as a ratio; `gini_less` is a difference."""


def world_figures(seeds: Sequence[Outcomes]) -> dict[str, Any]:
    """Return every figure and every comparison, by policy, as mean and sd over the seeds of one world, and by seed.

    A ratio to 0, or of something that no run has, is nan. The mean of ratios leaves out nan.
    """
    return {policy: _policy_figures(seeds, policy) for policy in POLICIES}


def _policy_figures(seeds: Sequence[Outcomes], policy: Policy) -> dict[str, Any]:
    values = {name: [getattr(one[policy], name) for one in seeds] for name in Outcome._fields}
    values["shortfall"] = [shortfall(one, policy) for one in seeds]
    ratios = {name: [compare(one, policy) for one in seeds] for name, compare in RATIOS.items()}
    return {
        **{name: _summary(held) for name, held in values.items()},
        "to_greedy": {name: _summary(held) for name, held in ratios.items()},
    }


def _summary(values: Sequence[float]) -> dict[str, Any]:
    """Return mean, standard deviation and the values; None stands for nan, which JSON lacks."""
    known = [value for value in values if value == value]  # noqa: PLR0124  nan is not equal to itself
    mean, sd = mean_and_sd(known) if known else (None, None)
    return {"mean": mean, "sd": sd, "seeds": [value if value == value else None for value in values]}  # noqa: PLR0124
