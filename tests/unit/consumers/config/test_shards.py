"""The keys of `[shards]`."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from consumers.config.loader import build, load, load_for_all
from consumers.errors import Stop
from tests.support.configs import MOVIES, refused, with_environ


def test_one_process_needs_no_key_and_has_no_topic() -> None:
    settings = build(MOVIES)
    assert (settings.shards.count, settings.shards.several, settings.shards.own()) == (1, False, 0)
    assert settings.shards.reroute_topic not in settings.topics()


def test_the_index_comes_from_the_environment() -> None:
    shards = with_environ(SHARDS__COUNT="3", SHARDS__INDEX="2").shards
    assert (shards.count, shards.own()) == (3, 2)


def test_the_index_comes_from_the_end_of_the_host_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "crosscurrent-11")
    assert build(MOVIES | {"shards": {"count": 12}}).shards.own() == 11
    assert "from 0 to 3" in refused(MOVIES | {"shards": {"count": 4}})
    monkeypatch.setattr(socket, "gethostname", lambda: "crosscurrent")
    assert "the host's name ends in no number" in refused(MOVIES | {"shards": {"count": 4}})


def test_a_command_that_is_no_shard_needs_no_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator's own machine has any name."""
    monkeypatch.setattr(socket, "gethostname", lambda: "laptop")
    config = tmp_path / "c.toml"
    config.write_text("[shards]\ncount = 4\n[domains.movies]\nrating_range = [0.5, 5]\n")
    assert load_for_all(config).shards.count == 4
    with pytest.raises(Stop, match=r"shards\.index"):
        load(config)


@pytest.mark.parametrize("key", ["share_ms", "alone_seconds"])
def test_times_are_above_zero(key: str) -> None:
    assert f"shards.{key}: must be above 0" in refused(MOVIES | {"shards": {key: 0.0}})


def test_a_topic_has_one_use() -> None:
    shards = {"count": 2, "index": 0, "facts_topic": "crosscurrent.forget"}
    assert "shards.facts_topic: topic crosscurrent.forget is taken by kafka.forget_topic" in refused(
        MOVIES | {"shards": shards}
    )
    assert "shards.count: must be at least 1" in refused(MOVIES | {"shards": {"count": 0}})


def test_own_types_of_events_need_one_process() -> None:
    """Facts do not tell the type of an event."""
    events = {"view": {"as": "click"}}
    said = refused(MOVIES | {"shards": {"count": 2, "index": 0}, "events": events})
    assert "shards.count: must be 1 with types of events of your own ([events.view])" in said
    assert build(MOVIES | {"shards": {"count": 1}, "events": events}).events
