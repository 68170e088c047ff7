"""Say in words what transfer brings the target, and how sure that is.

Two arms score the same events. The gain is the difference of their means. Its 95 % interval is by bootstrap over users.
Any two arms can be compared so: `compared` needs their losses or gains at each event of the target.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumers.evaluation.dataset import Data
from consumers.evaluation.metrics import TargetEvents, ndcg, percentiles
from consumers.evaluation.predictions import ArmOutcome

FEWEST_EVENTS = 100
FEWEST_USERS = 20
"""With fewer users or events an interval by bootstrap is too narrow, so no difference is told."""
_LARGE = 5.0  # times the gain that matters: a larger one is rare, and by chance where events are few
_POWER = (1.96 + 0.84) / 1.96
"""Half an interval of 95 % times this is the difference that is found four times out of five."""

Array = NDArray[np.float64]


class Measure(NamedTuple):
    """What is compared, and the words for it. `worth`: the smallest gain that matters, as `gain` is told."""

    name: str
    events: str
    better: str
    worse: str
    worth: float
    percent: bool
    """Whether the gain is relative, in percent, of the roots of the means."""

    def gain(self, ours: Array, others: Array) -> Array:
        """Return the gain from the means of both arms (n,): positive if ours is better."""
        gain: Array = (
            100.0 * (1.0 - np.sqrt(ours / np.maximum(others, 1e-12))) if self.percent else ours - others
        )
        return gain

    def text(self, value: float) -> str:
        """Write a gain without its sign's meaning: 1.8 % or 0.0378."""
        return f"{_signed(value, 1)} %" if self.percent else _signed(value, 4)

    def span(self, low: float, high: float) -> str:
        """Write an interval: 0.9 to 2.7 %."""
        digits = 1 if self.percent else 4
        return f"{_signed(low, digits)} to {_signed(high, digits)}{' %' if self.percent else ''}"


RATING = Measure("RMSE", "ratings", "lowers", "raises", 1.0, True)
RANKING = Measure("NDCG@10", "ranked events", "raises", "lowers", 0.005, False)


class Comparison(msgspec.Struct, frozen=True):
    """What an arm gains over another on the same events."""

    finding: str
    """helps, hurts, no_difference, too_few or nothing_measured"""
    gain: float
    """Of RMSE in percent of the other arm's, of NDCG@10 as the difference; positive if the arm is better."""
    ci: tuple[float, float]
    events: int
    users: int
    more_events: int = 0
    """About how many more events are needed if they are too few; 0 otherwise."""
    to_tell: float = 0.0
    """The gain that could then be told: that seen so far, within limits, as few events show large gains by chance.

    0 if the events are too few for any interval.
    """


def compared(measure: Measure, target: TargetEvents, ours: Array, others: Array) -> Comparison:
    """Compare two arms on the events that both measured.

    ours, others: squared errors for RATING, gains for RANKING, (events,); nan where there is none.
    """
    where = np.isfinite(ours) & np.isfinite(others)
    events, users = int(where.sum()), len(np.unique(target.user[where]))
    if not events:
        return Comparison("nothing_measured", 0.0, (0.0, 0.0), 0, 0)
    gain, low, high = gain_on(measure, target, ours, others, where)
    enough = events >= FEWEST_EVENTS and users >= FEWEST_USERS
    if enough and (low > 0 or high < 0):
        return Comparison("helps" if low > 0 else "hurts", gain, (low, high), events, users)
    if enough and -measure.worth < low and high < measure.worth:
        return Comparison("no_difference", gain, (low, high), events, users)
    to_tell = min(max(abs(gain), measure.worth / 2), _LARGE * measure.worth)
    more = events * ((_POWER * (high - low) / 2 / to_tell) ** 2 - 1.0)
    least = max(FEWEST_EVENTS - events, events * (FEWEST_USERS / users - 1.0))
    if more < least:
        more, to_tell = least, 0.0
    return Comparison("too_few", gain, (low, high), events, users, math.ceil(more), to_tell)


def gain_on(
    measure: Measure, target: TargetEvents, ours: Array, others: Array, where: NDArray[np.bool_]
) -> tuple[float, float, float]:
    """Return the gain on the events of `where` (events,), and its 95 % interval."""
    gain = measure.gain(ours[where].mean(keepdims=True), others[where].mean(keepdims=True))
    resampled = measure.gain(target.resampled(ours, where), target.resampled(others, where))
    return float(gain[0]), *percentiles(resampled)


def transfer_figures(data: Data, target: TargetEvents, outcomes: list[ArmOutcome]) -> dict[str, Any]:
    """Return the part `transfer` of the report: full against target_only, and the verdict in words."""
    (users, shared), sources = data.users(), data.sources
    found: dict[str, Any] = {"sources": sources, "users": users, "users_in_sources": shared}
    pairs = {
        name: [mean_over_seeds(of, target, outcomes, arm) for arm in ("full", "target_only")]
        for name, of in (("rating", squared_errors), ("ranking", ranking_gains))
    }
    if not data.has_ratings:
        del pairs["rating"]
    measures = {"rating": RATING, "ranking": RANKING}
    comparisons = {name: compared(measures[name], target, *pair) for name, pair in pairs.items()}
    told = {measures[name]: comparison for name, comparison in comparisons.items()}
    words = list(_words(data.target, sources, shared, told))
    return {**found, **{name: msgspec.to_builtins(one) for name, one in comparisons.items()}, "words": words}


def squared_errors(target: TargetEvents, outcome: ArmOutcome) -> Array:
    """Return the squared error of each predicted rating; nan where there is none."""
    errors: Array = (outcome.prediction - target.rating) ** 2
    return errors


def ranking_gains(_: TargetEvents, outcome: ArmOutcome) -> Array:
    """Return the NDCG@10 of each ranked event; nan where nothing was ranked."""
    return np.where(outcome.rank >= 0, ndcg(outcome.rank), np.nan)


def mean_over_seeds(of: Any, target: TargetEvents, outcomes: list[ArmOutcome], arm: str) -> Array:
    """Return the mean over seeds of `of(target, outcome)` at each event; nan where the arm has none."""
    mean: Array = np.mean([of(target, outcome) for outcome in outcomes if outcome.arm == arm], axis=0)
    return mean


def _words(name: str, sources: list[str], shared: int, found: dict[Measure, Comparison]) -> Iterator[str]:
    if not sources:
        yield (
            f"{name}: what transfer brings cannot be told: no other domain has events. Add events of the same users in "
            "other domains, with a column `domain` that says where each belongs"
        )
        return
    if not shared:
        yield f"{name}: no user has events in {', '.join(sources)} too, so only item text can be carried over"
    for measure, comparison in found.items():
        yield f"{name}: {sentence(measure, comparison)}"


def sentence(measure: Measure, found: Comparison) -> str:
    """Say what was found and how sure it is."""
    counted = _counted(found.events, measure.events)
    sure = f"(95 % interval {measure.span(*found.ci)}, {counted})"
    if found.finding == "nothing_measured":
        return f"no event could be measured in {measure.name}"
    if found.finding == "helps":
        return f"transfer {measure.better} {measure.name} by {measure.text(found.gain)} {sure}"
    if found.finding == "hurts":
        sure = f"(95 % interval {measure.span(-found.ci[1], -found.ci[0])}, {counted})"
        return (
            f"transfer {measure.worse} {measure.name} by {measure.text(-found.gain)} {sure}, so it does harm"
        )
    if found.finding == "no_difference":
        return (
            f"transfer changes {measure.name} by less than {measure.text(measure.worth)} if at all "
            f"(95 % interval of the gain {measure.span(*found.ci)}, {counted})"
        )
    of_users = f" of {_counted(found.users, 'users')}" if found.users < FEWEST_USERS else ""
    are = "is" if found.events == 1 else "are"
    what = f"a difference of {measure.text(found.to_tell)}" if found.to_tell else "anything at all"
    return (
        f"no difference in {measure.name} can be told yet: {counted}{of_users} {are} too few; "
        f"about {_rounded(found.more_events):,} more are needed to tell {what} "
        f"(95 % interval of the gain {measure.span(*found.ci)})"
    )


def _counted(count: int, names: str) -> str:
    return f"{count:,} {names.removesuffix('s') if count == 1 else names}"


def _signed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else f"{0:.{digits}f}"


def _rounded(count: int) -> int:
    """Round up to two digits: 1,932 becomes 2,000."""
    step = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // step) * step
