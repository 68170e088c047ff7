"""`evaluate --impressions`: values beside the truth, refusals with an exit code, and words that say how sure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from consumers.errors import BUG, USAGE
from tests.support.commands import Outcome, run
from tests.support.impression_files import write_impressions
from tests.support.impression_lines import LINE, PLACE, changed, write_lines
from tests.support.logged_world import LoggedWorld, WorldSettings, log_world

SMALL = WorldSettings(lists=2_000, users=200, items=60, candidates=20, temperature=0.5)


def value(folder: Path, *words: str) -> tuple[Outcome, dict[str, Any]]:
    """Run the command on the log of `folder`; return the outcome with single spaces, and the figures."""
    figures = folder / "figures.json"
    out = run("evaluate", "--impressions", str(folder / "shown.jsonl"), "--json", str(figures), *words)
    return Outcome(out.code, " ".join(out.text.split())), json.loads(figures.read_bytes())


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LoggedWorld]:
    folder, world = tmp_path_factory.mktemp("logged"), log_world(0, SMALL)
    write_impressions(folder / "shown.jsonl", world)
    return folder, world


def test_values_beside_the_truth(logged: tuple[Path, LoggedWorld]) -> None:
    """Each value within three half widths of the truth; the logged policy has the clicks that were counted."""
    folder, world = logged
    policies = {
        "greedy": world.best_first(world.scores),
        "scores:b": world.best_first(world.other),
        "uniform": np.full((*world.scores.shape, 10), 1 / 20),
        "plackett-luce:0.5:0.1": world.drawn(world.scores, 0.5, 0.1, 1),
    }
    outcome, figures = value(folder, *(word for name in policies for word in ("--policy", name)))
    assert outcome.code == 0
    assert figures["curve"]["source"] == "learned from this log"
    assert figures["impressions"] == 2_000
    for name, chances in policies.items():
        found = figures["policies"][name]
        assert found["refused"] == ""
        for estimator in ("doubly_robust", "self_normalised", "exposure_weighted"):
            half = (found[estimator]["high"] - found[estimator]["low"]) / 2
            assert abs(found[estimator]["value"] - world.worth(chances)) < 3 * half
            assert half < 0.3 * found[estimator]["value"]
    own = figures["policies"]["plackett-luce:0.5:0.1"]
    assert own["effective"] == pytest.approx(2_000)
    assert own["self_normalised"]["value"] == pytest.approx(figures["logged"]["value"], rel=1e-6)
    assert "uniform: 0." in outcome.text
    assert "against the" in outcome.text
    assert "worse, with 95 % confidence" in outcome.text
    assert "only a live experiment answers that" in outcome.text
    assert "no sign that users stop after a click" in outcome.text


def test_the_same_file_gives_the_same_figures(logged: tuple[Path, LoggedWorld]) -> None:
    first, again = (value(logged[0], "--policy", "scores:b:0.2")[1] for _ in range(2))
    assert first["policies"] == again["policies"]


def test_the_first_place_alone_needs_no_click_model(logged: tuple[Path, LoggedWorld]) -> None:
    """The value is mean(click · p_target / p_logged) over lists, with probabilities that are known exactly."""
    folder, world = logged
    outcome, figures = value(folder, "--policy", "plackett-luce:0.4", "--top", "1")
    assert outcome.code == 0
    weights = [np.exp(scores / tau) for scores, tau in ((world.scores, 0.4), (world.scores, 0.5))]
    p = [w / w.sum(1, keepdims=True) for w in weights]
    new = np.where(world.new, p[1], 0.0)
    sums = new.sum(1, keepdims=True)
    p[1] = np.where(sums > 0, 0.9 * p[1] + 0.1 * new / np.maximum(sums, 1e-300), p[1])
    first = world.order[:, :1]
    ratio = np.take_along_axis(p[0], first, 1) / np.take_along_axis(p[1], first, 1)
    expected = float((ratio[:, 0] * world.clicks[:, 0]).mean())
    assert figures["policies"]["plackett-luce:0.4"]["exposure_weighted"]["value"] == pytest.approx(
        expected, rel=1e-5
    )
    assert "so no click model is needed" in outcome.text
    assert "Click model" not in outcome.text


def test_a_rather_different_ranker_is_refused_at_a_small_temperature(tmp_path: Path) -> None:
    """It has no figures, and the exit code is not 0; a policy beside it that is near to the log is valued."""
    write_impressions(tmp_path / "shown.jsonl", log_world(0, SMALL._replace(temperature=0.1)))
    outcome, figures = value(tmp_path, "--policy", "scores:b", "--policy", "plackett-luce:0.1:0.05")
    assert outcome.code == BUG
    assert "scores:b: refused. This log cannot tell its value: " in outcome.text
    assert "log at a higher temperature" in outcome.text
    assert figures["policies"]["scores:b"]["doubly_robust"] is None
    assert figures["policies"]["plackett-luce:0.1:0.05"]["refused"] == ""


def test_a_cascade_is_told(tmp_path: Path) -> None:
    write_impressions(tmp_path / "shown.jsonl", log_world(0, SMALL._replace(cascade=True)))
    outcome, figures = value(tmp_path, "--policy", "greedy")
    assert figures["below_a_click"]["ratio"] == 0
    assert "DO NOT TRUST these values" in outcome.text
    assert "if the click model held, which it does not" in outcome.text


def test_places_with_known_probabilities(tmp_path: Path) -> None:
    """Hats are shown with .8 and clicked by half, ties never: the policy that shows hats with .4 gets .2 clicks.

    Lines of another domain count only without --target.
    """
    rng = np.random.default_rng(0)
    lines = [
        changed(PLACE, user_id=f"u{n}", items=["hat" if hat else "tie"], clicks=[3] if hat and n % 2 else [])
        for n, hat in enumerate(rng.random(3_000) < 0.8)
    ]
    write_lines(tmp_path / "shown.jsonl", [LINE, *lines])
    outcome, figures = value(
        tmp_path, "--policy", "probabilities:other", "--target", "shop", "--curve", "flat"
    )
    assert outcome.code == 0
    assert figures["impressions"] == 3_000
    assert figures["domains"] == {"books": 1, "shop": 3_000}
    found = figures["policies"]["probabilities:other"]["doubly_robust"]
    assert found["low"] < 0.2 < found["high"]
    assert found["high"] - found["low"] < 0.05
    assert "probabilities:other: 0.2" in outcome.text or "probabilities:other: 0.1" in outcome.text


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "--impressions needs what is valued: --policy"),
        (("--policy", "greedy", "--scenario", "sudden"), "--scenario"),
        (("--policy", "greedy", "--shards", "2"), "leave out --shards"),
        (("--policy", "greedy", "--seeds", "2"), "--impressions does not go with --seeds"),
    ],
)
def test_options_about_something_else_are_refused(
    tmp_path: Path, words: tuple[str, ...], reason: str
) -> None:
    write_lines(tmp_path / "shown.jsonl", [LINE])
    with pytest.raises(click.UsageError, match=reason):
        run("evaluate", "--impressions", str(tmp_path / "shown.jsonl"), *words)


def test_options_about_policies_need_impressions() -> None:
    with pytest.raises(click.UsageError, match="--policy, --top: give --impressions FILE"):
        run("evaluate", "--policy", "greedy", "--top", "3", "--interactions", "e.csv", "--target", "books")


@pytest.mark.parametrize(
    ("lines", "words", "reason"),
    [
        ([], ("--policy", "greedy"), "there is no impression in it"),
        ([LINE], ("--policy", "greedy", "--target", "shop"), "--target shop: --impressions"),
        ([LINE], ("--policy", "best"), "--policy best: write greedy"),
        ([LINE], ("--policy", "greedy", "--curve", "x"), "--curve x: write learned"),
        ([LINE, PLACE], ("--policy", "greedy"), "line 2: pool.scores is missing (--policy greedy)"),
        ([LINE, changed(LINE, clicks=None)], ("--policy", "greedy"), "line 2: Object missing required field"),
    ],
)  # fmt: skip
def test_what_cannot_be_valued(tmp_path: Path, lines: list[Any], words: tuple[str, ...], reason: str) -> None:
    write_lines(tmp_path / "shown.jsonl", lines)
    outcome = run("evaluate", "--impressions", str(tmp_path / "shown.jsonl"), *words)
    assert outcome.code == USAGE
    assert reason in outcome.text
