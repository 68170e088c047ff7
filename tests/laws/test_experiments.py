"""Totals of experiments obey the laws of events: crash and resume, increments, exactly once, forgetting, rescaling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.rescaling.shard_states import Topics, shard_states
from consumers.service.offline import offline_pipeline
from consumers.service.pipeline import Pipeline
from consumers.sharing.layout import partition_of
from models.experiments.arm_totals import ArmTotals
from models.experiments.totals import joined
from models.migration.reshard import Plan
from models.state.snapshot import snapshot
from tests.support.doubles import Abort, ListSource
from tests.support.learners.states import decoded, differences
from tests.support.log.crashes import assert_increments_hold_all, resumed, until_abort
from tests.support.log.one_log import BATCH, LOG, START, run_out
from tests.support.log.shown_log import with_impressions
from tests.support.log.user_log import INTERACTIONS, PARTITIONS, settings_of, user_log
from tests.support.service.pipelines import list_pipeline

torch.set_num_threads(1)

SHOWN = with_impressions(LOG)
ARMS: dict[str, Any] = {"a": {}, "b": {"ranker": {"diversity": 0.5}}}
SETTINGS = build(
    {
        "domains": {"movies": {}, "books": {"role": "target"}},
        "kafka": {"forget_topic": "forget"},
        "intake": {"batch_events": BATCH, "network_events": 2 * BATCH, "dedup_events": 50},
        "learner": {"users": 64, "items_per_domain": 64},
        "experiments": {"x": {"arms": ARMS, "starts": "2023-11-14T22:15:00Z"}},
    }
)


def pipeline(source: ListSource, settings: Settings = SETTINGS) -> Pipeline:
    return list_pipeline(settings, source)


def finished(source: ListSource) -> Pipeline:
    running = pipeline(source)
    running.restore()
    run_out(running, source)
    return running


@pytest.fixture(scope="module")
def uncrashed() -> Pipeline:
    """A pipeline that has learned the whole log, without a crash."""
    return finished(ListSource(SHOWN))


def totals(running: Pipeline) -> list[list[float]]:
    """Return impressions, clicks and both before, of each arm."""
    return [held.sums.first.tolist() for held in running.arms.full.experiments.arms["x"].values()]


def test_the_log_has_everything(uncrashed: Pipeline) -> None:
    """So that the laws are laws of something: both arms have impressions and clicks, before the start and after."""
    assert START < SETTINGS.live_experiments()[0].starts < START + 1000 * len(LOG)
    assert min(min(one) for one in totals(uncrashed)) > 0


@pytest.mark.parametrize(("crash", "saved", "poll"), [(150, 0, 17), (377, 2, 3)])
def test_crash_and_resume(uncrashed: Pipeline, crash: int, saved: int, poll: int) -> None:
    """The state is the same, bit for bit: each impression and click counts once."""
    source = ListSource([*SHOWN[:crash], Abort(), *SHOWN[crash:]], poll)
    first = pipeline(source)
    taken = [snapshot(first.state()) for _ in until_abort(first, source)]
    second = resumed(pipeline, source, decoded(taken[max(0, len(taken) - 1 - saved)]))
    assert differences(decoded(snapshot(uncrashed.state())), decoded(snapshot(second.state()))) == []
    assert totals(second) == totals(uncrashed)


def test_increments_hold_all_that_changed(tmp_path: Path) -> None:
    """A whole state and the increments after it are the present state, over restarts."""
    assert_increments_hold_all(pipeline, ListSource(SHOWN, 40), tmp_path)


def test_totals_are_those_of_users_who_are_known(uncrashed: Pipeline) -> None:
    """When all users are forgotten, nothing is left but what evicted ones have left."""
    held = finished(ListSource(SHOWN))
    assert totals(held) == totals(uncrashed)
    for user in list(held.arms.full.users):
        held.arms.forget_user(user)
    evicted = held.arms.full.users.evictions
    left = sum(arm.sums.units for arm in held.arms.full.experiments.arms["x"].values())
    assert 0 <= left <= evicted
    assert len(held.arms.full.state()["experiments"]["units"]["users"]) == 0


def test_rescaling_loses_no_total(tmp_path: Path) -> None:
    """Sums go on in one shard; each user's own totals are in the shard of their partition."""
    settings = settings_of(tmp_path)
    raw = {"x": {"arms": ARMS}}
    settings = msgspec.structs.replace(
        settings, experiments=build({"domains": {"movies": {}}, "experiments": raw}).experiments
    )
    source = ListSource(with_impressions(user_log(200), share=0.5))
    running = list_pipeline(settings, source)
    running.restore()
    while not source.exhausted or len(running.batcher) >= 16:
        running.step()
    state = decoded(snapshot(running.state()))
    plan = Plan(lambda _shard, user: partition_of(user, PARTITIONS) % 3, 3)
    topics = Topics(frozenset(INTERACTIONS), "forget", "reroute")
    made = shard_states([state], offline_pipeline(settings).arms.full, plan, topics)
    before = state["arms"]["full"]["experiments"]
    after = [one["arms"]["full"]["experiments"] for one in made]
    assert sum(len(one["units"]["users"]) for one in after) == len(before["units"]["users"]) > 10
    assert min(len(one["units"]["users"]) for one in after) > 0
    merged = joined(one["sums"] for one in after)
    for arm in ARMS:
        one, other = (ArmTotals.of(held["x"]["arms"][arm]).sums for held in (merged, before["sums"]))
        assert one.units == other.units > 0
        assert np.array_equal(one.second, other.second)


def test_without_experiments_the_state_has_no_totals() -> None:
    """And lists, errors and everything else are the same, bit for bit."""
    bare = msgspec.structs.replace(SETTINGS, experiments={})
    states = []
    for settings in (bare, SETTINGS):
        source = ListSource(SHOWN)
        running = pipeline(source, settings)
        running.restore()
        run_out(running, source)
        states.append(decoded(snapshot(running.state())))
    held = [state["arms"]["full"].pop("experiments") for state in states]
    assert held[0]["sums"] == {}
    assert len(held[0]["units"]["hashes"]) == 0
    assert len(held[1]["units"]["hashes"]) > 0
    assert differences(*states) == []
