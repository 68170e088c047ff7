"""Worlds of `evaluate --scenario`, and figures that other code computes again from the simulator's truth."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest

from consumers.config.loader import load
from consumers.evaluation.scenarios.kinds import SCENARIOS
from consumers.evaluation.scenarios.metrics import Pair, false_alarms, recovery_events, scenario_figures
from consumers.evaluation.scenarios.run import Happening, LossRecorder, ScenarioPass, run_pass
from consumers.evaluation.scenarios.world import TARGET, first_measured, scenario_world
from consumers.simulator.event_stream import Simulator
from consumers.simulator.world import World
from consumers.simulator.world_settings import WorldSettings
from models.adaptation.adaptation_loop import Notice
from models.assessment.prequential import NDCG_LOSS, RMSE

ROW = {"error", "recovery_events", "false_alarms_per_100k"}


def small(name: Any, events: int = 1500, seed: int = 3) -> WorldSettings:
    return msgspec.structs.replace(scenario_world(name, seed), events=events)


def pair_of(world: WorldSettings, ranked: bool = False) -> Pair:
    settings = msgspec.json.encode(load(None, need_domains=False))
    on, off = (
        run_pass(ScenarioPass(world, settings, adapt, ranked), lambda _: None) for adapt in (True, False)
    )
    return Pair(world, on, off)


@pytest.fixture(scope="module")
def sudden() -> Pair:
    return pair_of(small("sudden"))


@pytest.fixture(scope="module")
def apart() -> Pair:
    return pair_of(small("zero-overlap", 1000), ranked=True)


def rated(world: WorldSettings) -> list[tuple[int, str, str, float]]:
    """Return (event of the stream, user, item, rating) of the target's events, from the records."""
    found = []
    for n, sent in enumerate(Simulator(world).events()):
        row = msgspec.json.decode(sent.value or b"")
        if sent.domain == TARGET:
            found.append((n, row["user_id"], row["item_id"], row["value"]))
    return found


def honest(truth: dict[str, Any], n: int, user: str, item: str) -> float:
    """Return the expected rating at event `n`, not clipped, from `truth.json` alone; for sudden drifts."""
    games, person = truth["domains"][TARGET], truth["users"][user]
    mean = games["bias_before"] + sum(d["bias"] for d in games["drift"] if n >= d["at"])
    thing = games["items"][item]
    return float(mean + person["bias"] + thing["bias"] + np.dot(person["taste"], thing["factors"]))


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_a_world(name: Any) -> None:
    """Each seed makes another world, with poison and drift of the target only, and the right share of events."""
    world = World(scenario_world(name, 0))
    assert world.settings != scenario_world(name, 1)
    assert scenario_world(name, 0) == scenario_world(name, 0)
    domains = np.concatenate([draw.domain for draw in world.draws()])
    assert np.mean(domains == world.number[TARGET]) == pytest.approx(
        0.25 if name == "zero-overlap" else 0.5, abs=0.01
    )
    assert bool(world.drifts(TARGET)) == (name in ("sudden", "gradual", "recurring"))
    assert len(world.settings.drift) <= 1
    assert [p.domain for p in world.settings.poison] == (["movies"] if name == "poisoned-source" else [])
    shared = set(world.domains[0].people) & set(world.domains[2].people)
    assert (len(shared) == 0) == (name == "zero-overlap")


@pytest.mark.parametrize(
    ("name", "first"),
    [("sudden", 600), ("gradual", 600), ("recurring", 600), ("stationary", 600), ("zero-overlap", 600)],
)
def test_what_is_measured_begins_at_the_shift(name: Any, first: int) -> None:
    """Measuring begins at the shift or in the middle; with a poisoned source after 5,000 target events."""
    world = World(small(name, 1200))
    assert first_measured(world, np.arange(1200)) == first
    assert first_measured(world, np.arange(0, 1200, 2)) == first // 2
    lying = World(scenario_world("poisoned-source", 0))
    assert first_measured(lying, np.arange(0, 24_000, 2)) == 5_000
    assert first_measured(lying, np.arange(3_000)) == 1_500


def test_recovery_is_found_again_by_counting() -> None:
    """Recovery is the first event after the shift at which the last 500 are within 5 % of the floor."""
    rng = np.random.default_rng(0)
    for since, high, fading in ((800, 3.0, 200.0), (0, 3.0, 200.0), (700, 2.0, 1e9)):
        after = np.maximum(np.arange(3000) - since, 0)
        squares = rng.normal(0, 1, 3000) ** 2 * np.where(
            np.arange(3000) < since, 1.0, 1 + high * np.exp(-after / fading)
        )
        expected = next(
            (
                n
                for n in range(1, 3000 - since + 1)
                for last in (squares[max(0, since + n - 500) : since + n],)
                if math.sqrt(math.fsum(last) / len(last)) <= 1.05
            ),
            3000 - since,
        )
        assert recovery_events(squares, since, 1.0) == expected
    assert recovery_events(np.full(900, 4.0), 300, 1.0) == 600


def test_only_alarms_on_what_stands_still_are_false() -> None:
    """Only detections count, after the warm-up and before the shift."""
    alarm, begun = Notice("movies", "bias"), Notice(TARGET, "raise_rate", started=True)
    said = [Happening(n, 0, alarm) for n in (4_999, 5_000, 11_999, 12_000, 20_000)]
    said += [Happening(7_000, 0, begun), Happening(7_100, 0, Notice(TARGET, "raise_rate", "dropped"))]
    assert false_alarms(scenario_world("sudden", 0), said) == pytest.approx(2 * 1e5 / 7_000)
    assert false_alarms(scenario_world("stationary", 0), said) == pytest.approx(4 * 1e5 / 35_000)


def test_errors_and_floor_follow_from_the_truth(sudden: Pair) -> None:
    """The floor follows from `truth()` and the records; the losses have the arms' own means."""
    world, truth = sudden.world, Simulator(sudden.world).truth()
    figures = scenario_figures("sudden", [sudden])
    events = rated(world)
    after = [event for event in events if event[0] >= world.events // 2]
    floor = math.sqrt(
        math.fsum((value - min(max(honest(truth, n, u, i), 1.0), 5.0)) ** 2 for n, u, i, value in after)
        / len(after)
    )
    assert figures["floor"] == {"mean": pytest.approx(floor, rel=1e-9), "sd": 0.0}
    for row, trace in (("on", sudden.on), ("off", sudden.off)):
        assert trace.position.tolist() == [n for n, *_ in events]
        errors = trace.losses[RMSE, "followed" if row == "on" else "full"][len(events) - len(after) :]
        assert figures[row]["error"]["mean"] == pytest.approx(math.sqrt(math.fsum(errors) / len(errors)))
        assert floor < figures[row]["error"]["mean"] < 2 * floor
        assert not any(
            np.isnan(values).any() for (metric, _), values in trace.losses.items() if metric == RMSE
        )
    assert set(sudden.off.losses) == {(RMSE, "full")}
    assert not sudden.off.happenings


def test_the_figures_have_the_promised_keys(sudden: Pair) -> None:
    """Every figure is a mean and a deviation over the seeds, and fits into JSON."""
    figures = scenario_figures("sudden", [sudden, sudden])
    assert set(figures) == {
        "scenario", "seeds", "on", "off", "target_only", "floor", "bias_error", "bias_error_all_pairs",
        "actions",
    }  # fmt: skip
    assert figures["seeds"] == len(figures["actions"]) == 2
    for row in ("on", "off", "target_only"):
        assert set(figures[row]) == ROW
        assert all(set(figure) == {"mean", "sd"} for figure in figures[row].values())
        assert figures[row]["error"]["sd"] == 0.0
    for one in ("floor", "bias_error", "bias_error_all_pairs"):
        assert set(figures[one]) == {"mean", "sd"}
    assert msgspec.json.decode(msgspec.json.encode(figures)) == figures


def test_the_learned_bias_is_not_far_off(sudden: Pair) -> None:
    """At least half of a drift by one point is learned."""
    assert 0 < abs(sudden.on.bias) < 0.5
    assert 0 < abs(sudden.on.bias_all) < 0.5
    figures = scenario_figures("sudden", [sudden])
    assert figures["bias_error"]["mean"] == abs(sudden.on.bias)
    assert figures["bias_error_all_pairs"]["mean"] == abs(sudden.on.bias_all)


def test_newcomers_are_counted_in_the_target(apart: Pair) -> None:
    """New users have no earlier event in the target, cold ones fewer than five; only first encounters are ranked."""
    ranking = scenario_figures("zero-overlap", [apart])["ranking"]
    users: dict[str, set[str]] = {}
    items: dict[str, int] = {}
    new_users = cold_users = cold_items = everyone = 0
    events: Counter[str] = Counter()
    for _, user, item, _ in rated(apart.world):
        if item not in users.get(user, ()):
            everyone += 1
            new_users += user not in users
            cold_users += events[user] < 5
            cold_items += items.get(item, 0) < 5
        users.setdefault(user, set()).add(item)
        events[user] += 1
        items[item] = items.get(item, 0) + 1
    assert [ranking[group]["n"]["mean"] for group in ("all", "new_users", "cold_users", "cold_items")] == [
        everyone, new_users, cold_users, cold_items,
    ]  # fmt: skip
    for group in ranking.values():
        assert set(group) == {"full", "popularity", "target_only", "n"}
        assert all(set(figure) == {"mean", "sd"} for figure in group.values())
    gains = 1 - apart.on.losses[NDCG_LOSS, "popularity"]
    assert ranking["all"]["popularity"]["mean"] == pytest.approx(np.nanmean(gains))


def test_the_recorder_keeps_what_it_averages() -> None:
    """Losses of the target are kept by row; those of other domains go into the means only."""
    recorder = LossRecorder(3)
    for at, value in enumerate((4.0, 0.0, 1.0)):
        recorder.at = at
        rows = [recorder.row(domain, RMSE, "full") for domain in (TARGET, "movies")]
        recorder.add(np.array(rows), np.array([value, 100.0]))
    assert recorder.kept[RMSE, "full"].tolist() == [4.0, 0.0, 1.0]
    assert recorder.error(TARGET, RMSE, "full", overall=True) == pytest.approx(math.sqrt(5 / 3))
