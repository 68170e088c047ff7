"""What `--policy` and `--curve` name, and how often each policy shows each candidate."""

from __future__ import annotations

from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.errors import Stop
from consumers.evaluation.impressions.curves import learned_curve, parse_curve
from consumers.evaluation.impressions.logged_list import BadLineError, LoggedList, read_lists
from consumers.evaluation.impressions.policies import logged_chances, parse_policy, target_chances
from models.exposure.examination import RANKS, Examination, as_pairs, prior_curve
from tests.support.impression_lines import LINE, PLACE, changed, write_lines

UNIFORM = np.random.default_rng(0).random((1, 2, 2))


def logged_of(folder: Path, line: dict[str, Any]) -> LoggedList:
    ((_, logged),) = read_lists(write_lines(folder / "shown.jsonl", [line]))
    return logged


@pytest.mark.parametrize(
    ("text", "kind", "name", "temperature", "share"),
    [
        ("greedy", "scores", "", 0.0, 0.0),
        ("uniform", "uniform", "", 0.0, 0.0),
        ("plackett-luce:0.1", "scores", "", 0.1, 0.0),
        ("plackett-luce:.2:.05", "scores", "", 0.2, 0.05),
        ("scores:b", "scores", "b", 0.0, 0.0),
        ("scores:b:0.1:1", "scores", "b", 0.1, 1.0),
        ("probabilities:bts", "probabilities", "bts", 0.0, 0.0),
    ],
)
def test_policies(text: str, kind: str, name: str, temperature: float, share: float) -> None:
    assert parse_policy(text)[1:] == (kind, name, temperature, share)


@pytest.mark.parametrize(
    "text",
    ["best", "greedy:1", "plackett-luce", "plackett-luce:a", "plackett-luce:0", "plackett-luce:nan",
     "plackett-luce:inf", "plackett-luce:1:2", "plackett-luce:1:0:0", "scores:", "scores:b:", "probabilities"],
)  # fmt: skip
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(Stop, match=f"--policy {text}: "):
        parse_policy(text)


def test_chances_at_the_first_place_by_hand(tmp_path: Path) -> None:
    """Weights e⁻¹, 1, e⁻¹ of emma, dune and the new solaris, a fifth of the places for new items."""
    logged, w = logged_of(tmp_path, LINE), exp(-1)
    rest = 0.8 / (1 + 2 * w)
    assert logged_chances(logged, UNIFORM)[:, 0] == pytest.approx([w * rest, rest, w * rest + 0.2])
    assert target_chances(parse_policy("uniform"), logged, UNIFORM).tolist() == [[1 / 3] * 2] * 3
    assert target_chances(parse_policy("greedy"), logged, UNIFORM)[:, 0].tolist() == [0, 1, 0]
    assert target_chances(parse_policy("scores:b"), logged, UNIFORM).tolist() == [[1, 0], [0, 0], [0, 1]]
    drawn = target_chances(parse_policy("scores:b:1:0.5"), logged, UNIFORM)[:, 0]
    whole = 1 + exp(-1) + exp(-2)
    assert drawn == pytest.approx([0.5 / whole, 0.5 * exp(-2) / whole, 0.5 * exp(-1) / whole + 0.5])


def test_the_logged_policy_has_the_logged_chances(tmp_path: Path) -> None:
    """Log and target share their draws."""
    logged = logged_of(tmp_path, LINE)
    same = target_chances(parse_policy("plackett-luce:0.1:0.2"), logged, UNIFORM)
    np.testing.assert_array_equal(same, logged_chances(logged, UNIFORM))


def test_probabilities_and_their_places(tmp_path: Path) -> None:
    """With two of three places kept, the rows of those two; what is ranked by scores has the chances of their ranks."""
    line = changed(
        PLACE,
        {
            "probabilities": [[0.5, 0.5], [0.8, 0.2]],
            "other_probabilities": {"other": [[0.3, 0.7], [0.4, 0.6]]},
            "scores": [1.0, 2.0],
        },
        items=["hat", "tie"],
        places=[21, 1],
    )
    logged = logged_of(tmp_path, line).first(20)
    assert logged.ranks.tolist() == [0]
    assert logged_chances(logged, UNIFORM).tolist() == [[0.8], [0.2]]
    assert target_chances(parse_policy("probabilities:other"), logged, UNIFORM).tolist() == [[0.4], [0.6]]
    assert target_chances(parse_policy("greedy"), logged, UNIFORM).tolist() == [[0], [1]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("greedy", "pool.scores is missing"),
        ("scores:b", "pool.other_scores.b is missing"),
        ("probabilities:none", "pool.other_probabilities.none is missing"),
    ],
)
def test_a_line_without_what_a_policy_needs(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(BadLineError, match=reason):
        target_chances(parse_policy(text), logged_of(tmp_path, PLACE), UNIFORM)


def test_curves() -> None:
    """Numbers are divided by the first, and the last holds further down."""
    given = parse_curve("2,1,0.5")
    assert given is not None
    assert given.values.tolist() == [1.0, 0.5] + [0.25] * (RANKS - 2)
    prior, flat = parse_curve("prior"), parse_curve("flat")
    assert prior is not None
    assert flat is not None
    assert prior.values == pytest.approx(prior_curve())
    assert set(flat.values) == {1.0}
    assert parse_curve("learned") is None
    for text in ("steep", "1,0", "1,,2", "1,inf", ",".join(["1"] * 21)):
        with pytest.raises(Stop, match="--curve"):
            parse_curve(text)


def test_a_curve_is_learned_where_swaps_tell_it() -> None:
    """Else it is the prior, and that is said."""
    examination = Examination(1)
    few = learned_curve(examination)
    assert few.values == pytest.approx(prior_curve())
    assert "0 clicks on pairs of neighbours" in few.source
    assert few.errors(np.zeros((1, RANKS))) is None
    examination.pairs[0] = as_pairs(np.ones(RANKS), 1_000.0)
    learned = learned_curve(examination)
    assert learned.values == pytest.approx(np.ones(RANKS), abs=0.01)
    errors = learned.errors(np.zeros((3, RANKS)))
    assert errors is not None
    assert errors.shape == (3, RANKS)
