"""The verdict says what was found, how sure it is, and what is lacking."""

from __future__ import annotations

import numpy as np
import pytest

from consumers.evaluation.metrics import TargetEvents
from consumers.evaluation.predictions import ArmOutcome
from consumers.evaluation.report.verdict import (
    RANKING,
    RATING,
    Comparison,
    compared,
    sentence,
    transfer_figures,
)
from tests.support.evaluated import data_of


def ratings(ours: float, others: float, events: int = 400, users: int = 40, noise: float = 0.0) -> Comparison:
    """Compare squared errors with these means; `noise`: the spread of ours from user to user."""
    target = TargetEvents(data_of(events, users))
    spread = noise * np.where(target.user % 2 == 0, 1.0, -1.0)
    return compared(RATING, target, ours + spread, np.full(events, others))


def test_a_lower_error_is_told_in_percent_with_its_interval() -> None:
    """Squared errors of 0.81 and 1: the roots are 0.9 and 1, so RMSE is 10 % lower."""
    found = ratings(0.81, 1.0)
    assert found.finding == "helps"
    assert sentence(RATING, found) == (
        "transfer lowers RMSE by 10.0 % (95 % interval 10.0 to 10.0 %, 400 ratings)"
    )


def test_a_higher_error_is_called_harm() -> None:
    """The interval is turned round, so that its numbers belong to the sentence."""
    found = ratings(1.21, 1.0, noise=0.1)
    assert found.finding == "hurts"
    assert sentence(RATING, found).startswith("transfer raises RMSE by 10.0 % (95 % interval ")
    assert sentence(RATING, found).endswith(", 400 ratings), so it does harm")
    low, high = found.ci
    assert low < found.gain < high < 0
    assert f"{-high:.1f} to {-low:.1f} %" in sentence(RATING, found)


def test_a_wide_interval_around_nothing_says_how_many_more_are_needed() -> None:
    """Half an interval shrinks with the root of the events. 1.43 halves are found four times out of five."""
    found = ratings(1.0, 1.0, noise=0.5)
    low, high = found.ci
    assert found.finding == "too_few"
    assert low < 0 < high
    assert found.to_tell == max(abs(found.gain), 0.5)
    needed = 400 * (2.8 / 1.96 * (high - low) / 2 / found.to_tell) ** 2
    assert found.more_events == pytest.approx(needed - 400, abs=1)
    said = sentence(RATING, found)
    assert said.startswith("no difference in RMSE can be told yet: 400 ratings are too few; about ")
    assert "more are needed to tell a difference of" in said


@pytest.mark.parametrize(
    ("events", "users", "more", "said"),
    [(50, 25, 50, "50 ratings are"), (400, 5, 1200, "400 ratings of 5 users are")],
)
def test_few_events_or_users_tell_nothing_however_clear(
    events: int, users: int, more: int, said: str
) -> None:
    """An interval of 10 to 10 % is not believed if it comes from 50 ratings or from 5 users."""
    found = ratings(0.81, 1.0, events, users)
    assert found.finding == "too_few"
    assert found.more_events == more
    assert f"{said} too few; about {more:,} more are needed to tell anything at all" in sentence(
        RATING, found
    )


def test_a_narrow_interval_around_nothing_is_no_difference() -> None:
    found = ratings(1.0, 1.0, noise=0.001)
    assert (found.finding, found.more_events) == ("no_difference", 0)
    assert sentence(RATING, found).startswith(
        "transfer changes RMSE by less than 1.0 % if at all (95 % interval"
    )


def test_ranking_is_told_as_a_difference() -> None:
    """A gain of 1 in every fourth event against 1 in every fifth is 0.05. Events without a rank are left out."""
    target = TargetEvents(data_of(800, 40))
    at = np.arange(800)
    ours, others = (at % 4 == 0).astype(float), (at % 5 == 0).astype(float)
    ours[:100] = np.nan
    found = compared(RANKING, target, ours, others)
    assert (found.events, found.users) == (700, 40)
    assert found.gain == pytest.approx(0.05)
    nothing = compared(RANKING, target, np.full(800, np.nan), others)
    assert sentence(RANKING, nothing) == "no event could be measured in NDCG@10"


def arms(events: int) -> list[ArmOutcome]:
    """Two seeds of full, whose predictions are off by 0.5, and target_only, off by 1."""
    made = []
    for arm, off in (("full", 0.5), ("target_only", 1.0)):
        for seed in (0, 1):
            outcome = ArmOutcome(arm, seed, events)
            outcome.prediction[:] = 1.0 + np.arange(events) % 5 + (off if seed else -off)
            outcome.rank[events // 2 :] = 0 if arm == "full" else 1
            made.append(outcome)
    return made


def test_the_report_has_the_verdict_on_ratings_and_ranking() -> None:
    """Errors 0.5 and 1: 50 % lower. Places 1 and 2: 1 − 1/log2(3) = 0.3691."""
    data = data_of(400, 40)
    found = transfer_figures(data, TargetEvents(data), arms(400))
    assert (found["sources"], found["users"], found["users_in_sources"]) == (["movies"], 40, 40)
    assert found["rating"]["gain"] == pytest.approx(50.0)
    assert found["ranking"]["gain"] == pytest.approx(1 - 1 / np.log2(3))
    assert found["words"] == [
        "games: transfer lowers RMSE by 50.0 % (95 % interval 50.0 to 50.0 %, 400 ratings)",
        "games: transfer raises NDCG@10 by 0.3691 (95 % interval 0.3691 to 0.3691, 200 ranked events)",
    ]


def test_without_another_domain_or_common_users_the_verdict_says_so() -> None:
    alone = data_of(400, 40, source=False)
    (said,) = transfer_figures(alone, TargetEvents(alone), arms(400))["words"]
    assert "no other domain has events" in said
    strangers = data_of(400, 40, shared=False)
    words = transfer_figures(strangers, TargetEvents(strangers), arms(400))["words"]
    assert words[0] == "games: no user has events in movies too, so only item text can be carried over"
    assert len(words) == 3
