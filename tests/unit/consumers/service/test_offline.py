"""A pipeline for commands that rewrite checkpoints: it has everything, whichever shard the config is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumers.config.loader import build
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.service.offline import loaded_pipeline, offline_pipeline

CONFIG = {"domains": {"movies": {}, "books": {"role": "target"}}}


def test_it_has_what_only_the_first_shard_has() -> None:
    """A host whose name ends in 1 may run such a command: what the first shard tries must not be lost."""
    settings = build(CONFIG | {"shards": {"count": 2, "index": 1}})
    state = offline_pipeline(build(CONFIG)).state()
    state["arms"]["loop"]["looked"] = {"books": 7}
    pipeline = loaded_pipeline(state, settings, Path("folder"), pytest.fail)
    assert pipeline.state()["arms"]["loop"]["looked"] == {"books": 7}


def test_a_state_that_does_not_fit_names_its_folder() -> None:
    state = offline_pipeline(build(CONFIG)).state()
    del state["dedup"]
    with pytest.raises(Stop, match="folder does not fit this config: 'dedup'") as caught:
        loaded_pipeline(state, build(CONFIG), Path("folder"), lambda _: None)
    assert caught.value.code == STATE_UNUSABLE
