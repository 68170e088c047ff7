"""A checkpoint under a changed config is loaded by the real checkpointer, reported, and saved in its new form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from structlog.testing import capture_logs

from consumers.config.loader import build
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.record import Record
from consumers.service.pipeline import Pipeline
from consumers.service.saving.checkpoint_policy import CheckpointPolicy
from consumers.service.saving.checkpointer import Checkpointer
from tests.support.clock import Clock
from tests.support.doubles import ListSource
from tests.support.learners.states import differences
from tests.support.log.one_log import BATCH, LOG, run_out
from tests.support.service.pipelines import list_pipeline
from tests.support.store.all_writes import all_writes

torch.set_num_threads(1)

CLOCK = Clock()
Domains = dict[str, dict[str, Any]]
FIRST: Domains = {"movies": {}, "books": {"role": "target"}}
CHANGED: dict[str, tuple[Domains, str]] = {
    "another order": (
        {"books": {"role": "target"}, "movies": {}},
        "what was learned of books, movies is taken over",
    ),
    "a new domain": ({"games": {"role": "both"}, **FIRST}, "games is new and starts new"),
    "another role": (
        {"movies": {"role": "both"}, "books": {"role": "target"}},
        "movies had the role source and has the role both now",
    ),
    "a domain less": (
        {"books": {"role": "target"}},
        "movies is not in the config any more: what was learned of it alone is dropped",
    ),
}


def running(
    domains: Domains, records: list[Record], path: Path, whole_mb: float
) -> tuple[Pipeline, ListSource]:
    """Return a pipeline on the log of its domains. A checkpoint is due when `CLOCK` is moved on."""
    settings = build(
        {
            "domains": domains,
            "kafka": {"forget_topic": "forget"},
            "intake": {"batch_events": BATCH, "network_events": 2 * BATCH, "dedup_events": 50},
            "learner": {"users": 64, "items_per_domain": 64},
        }
    )
    source = ListSource([record for record in records if record.topic in settings.topics()])
    checkpointer = Checkpointer(path, 10.0, lambda *_: None, CLOCK, CheckpointPolicy(whole_mb=whole_mb))
    return list_pipeline(settings, source, checkpointer=checkpointer), source


def start(made: Pipeline) -> list[str]:
    """Start, and return what is said about the checkpoint."""
    with capture_logs() as lines:
        made.restore()
    return [line["what"] for line in lines if line["event"] == "this start differs from the checkpoint"]


def save(made: Pipeline) -> None:
    """Let time pass, so that a checkpoint is due."""
    assert made.checkpointer is not None
    CLOCK.now += 10.0
    made.step()
    made.checkpointer.poll(wait=True)


def close(made: Pipeline) -> None:
    assert made.checkpointer is not None
    made.checkpointer.close()


def half_learned(path: Path, whole_mb: float) -> None:
    """Write two checkpoints of the first config; with increments, the second is one."""
    made, source = running(FIRST, LOG[:200], path, whole_mb)
    assert start(made) == []
    save(made)
    run_out(made, source)
    save(made)
    close(made)


@pytest.mark.parametrize("whole_mb", [0.0, 32.0], ids=["increments", "whole"])
@pytest.mark.parametrize("change", CHANGED)
def test_a_changed_config_is_taken_up_and_saved(tmp_path: Path, change: str, whole_mb: float) -> None:
    """Each record is learned once, and the checkpoint afterwards is the state in memory, bit for bit."""
    domains, said = CHANGED[change]
    half_learned(tmp_path, whole_mb)
    made, source = running(domains, LOG, tmp_path, whole_mb)
    assert said in start(made)
    before = sum(made.arms.full.learned)
    assert before > 0
    run_out(made, source)
    assert sum(made.arms.full.learned) == before + made.totals["learned"] > before
    save(made)
    state = made.state()
    close(made)
    again, _ = running(domains, LOG, tmp_path, whole_mb)
    assert start(again) == []
    assert differences(state, again.state()) == []
    close(again)


def test_what_waits_for_the_store_or_the_encoder_of_a_domain_that_is_gone_is_dropped(tmp_path: Path) -> None:
    half_learned(tmp_path, 32.0)
    made, _ = running({"books": {"role": "target"}}, LOG, tmp_path, 32.0)
    start(made)
    writes = all_writes(made.queue)
    assert any("books" in write.key for write in writes)
    assert not any("movies" in write.key for write in writes)
    close(made)


def test_nothing_that_fits_is_refused(tmp_path: Path) -> None:
    """A config without any domain of the checkpoint is exit code 4, before anything is read."""
    half_learned(tmp_path, 32.0)
    made, source = running({"music": {"role": "target"}}, LOG, tmp_path, 32.0)
    with pytest.raises(Stop, match="none is in both") as caught:
        made.restore()
    close(made)
    assert caught.value.code == STATE_UNUSABLE
    assert source.committed == {}
