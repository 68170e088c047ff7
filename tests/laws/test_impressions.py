"""Impressions obey the laws of events: crash and resume, increments, exactly once, forgetting, rescaling."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from consumers.rescaling.shard_states import Topics, shard_states
from consumers.service.offline import offline_pipeline
from consumers.service.pipeline import Pipeline
from consumers.sharing.layout import partition_of
from models.migration.reshard import Plan
from models.state.snapshot import snapshot
from tests.support.doubles import Abort, ListSource
from tests.support.learners.states import decoded, differences
from tests.support.log.crashes import assert_increments_hold_all, resumed, until_abort
from tests.support.log.one_log import LOG, pipeline, run_out
from tests.support.log.shown_log import with_impressions
from tests.support.log.user_log import INTERACTIONS, PARTITIONS, settings_of, user_log
from tests.support.service.pipelines import list_pipeline

torch.set_num_threads(1)

SHOWN = with_impressions(LOG)


def counted(running: Pipeline) -> dict[str, float]:
    """Return what the process has counted of impressions."""
    return {
        f"{sample.name} {sorted(sample.labels.values())}": sample.value
        for family in running.metrics.registry.collect()
        for sample in family.samples
        if "impression" in sample.name or "position" in sample.name or "below" in sample.name
    }


@pytest.fixture(scope="module")
def uncrashed() -> Pipeline:
    """A pipeline that has learned the whole log, without a crash."""
    source = ListSource(SHOWN)
    running = pipeline(source)
    running.restore()
    run_out(running, source)
    return running


def test_the_log_has_everything(uncrashed: Pipeline) -> None:
    """So that the laws are laws of something."""
    found = counted(uncrashed)
    for domain in ("movies", "books"):
        for outcome in ("kept", "duplicate"):
            assert found[f"crosscurrent_impressions_total {sorted([domain, outcome])}"] > 0
        for outcome in ("answered", "unshown"):
            assert found[f"crosscurrent_impression_clicks_total {sorted([domain, outcome])}"] > 0
    assert uncrashed.totals["forgotten_impressions"] > 0
    held = sum(len(list(uncrashed.arms.full.impressions.lists.of(row))) for row in range(64))
    assert held > 10


@pytest.mark.parametrize(("crash", "saved", "poll"), [(150, 0, 17), (290, 3, 100), (377, 1, 3)])
def test_crash_and_resume(uncrashed: Pipeline, crash: int, saved: int, poll: int) -> None:
    """The state is the same, bit for bit, and so is what was counted of the records that were read twice."""
    source = ListSource([*SHOWN[:crash], Abort(), *SHOWN[crash:]], poll)
    first = pipeline(source)
    taken = [(snapshot(first.state()), counted(first)) for _ in until_abort(first, source)]
    state, before = taken[max(0, len(taken) - 1 - saved)]
    second = resumed(pipeline, source, decoded(state))
    assert differences(decoded(snapshot(uncrashed.state())), decoded(snapshot(second.state()))) == []
    after = counted(second)
    assert {name: before[name] + after[name] for name in after} == counted(uncrashed)


def test_increments_hold_all_that_changed(tmp_path: Path) -> None:
    """A whole state and the increments after it are the present state, after every step and over restarts."""
    assert_increments_hold_all(pipeline, ListSource(SHOWN, 40), tmp_path)


def shown_of(state: dict[str, Any]) -> Iterator[tuple[str, list[int]]]:
    """Yield the users with what they were shown, as the state holds it."""
    full = state["arms"]["full"]
    names = dict(zip(full["users"]["rows"], full["users"]["ids"], strict=True))
    lists, begin = full["shown"], 0
    for user, length in zip(lists["users"].tolist(), lists["lengths"].tolist(), strict=True):
        yield names[user], lists["hashes"][begin : begin + length].tolist()
        begin += length


def test_rescaling_deals_out_what_users_were_shown(tmp_path: Path) -> None:
    """Each user's list is in the shard of their partition, once, as it was."""
    source = ListSource(with_impressions(user_log(200), share=0.3))
    running = list_pipeline(settings_of(tmp_path), source)
    running.restore()
    while not source.exhausted or len(running.batcher) >= 16:
        running.step()
    state = decoded(snapshot(running.state()))
    plan = Plan(lambda _shard, user: partition_of(user, PARTITIONS) % 3, 3)
    learner = offline_pipeline(settings_of(tmp_path)).arms.full
    made = shard_states([state], learner, plan, Topics(frozenset(INTERACTIONS), "forget", "reroute"))
    before = dict(shown_of(state))
    after = [dict(shown_of(one)) for one in made]
    assert len(before) > 10
    assert sum(map(len, after)) == len(before)
    for shard, lists in enumerate(after):
        assert lists
        for user, held in lists.items():
            assert partition_of(user, PARTITIONS) % 3 == shard
            assert held == before[user]


def test_nothing_of_a_forgotten_user_stays() -> None:
    """Their row is free and their list is empty."""
    source = ListSource(SHOWN)
    running = pipeline(source)
    running.restore()
    run_out(running, source)
    full = running.arms.full
    user = next(user for user in full.users if list(full.impressions.lists.of(full.users.get(user) or 0)))
    row = running.arms.forget_user(user)
    assert row is not None
    assert list(full.impressions.lists.of(row)) == []
    assert row not in full.state()["shown"]["users"].tolist()
