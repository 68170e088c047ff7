"""`crosscurrent check` tells of topics that look like a domain's and that nobody reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient

from consumers.cli.check import check
from consumers.cli.finding import Finding
from consumers.config.loader import build, load_for_check
from consumers.connections import connect_both
from consumers.errors import Stop


def findings(bootstrap: str, folder: Path, domains: dict[str, Any]) -> dict[str, Finding]:
    """Return what is said of topics."""
    settings = build(
        {
            "kafka": {"bootstrap_servers": [bootstrap]},
            "redis": {"url": "redis://127.0.0.1:1/0"},
            "checkpoint": {"directory": str(folder)},
            "domains": domains,
        }
    )
    found: dict[str, Finding] = {}
    for finding in check(settings):
        if finding.what == "store":
            break
        if finding.what.startswith("topic "):
            found[finding.what.removeprefix("topic ")] = finding
    return found


def test_a_topic_that_no_domain_owns_is_a_warning(bootstrap: str, topic_prefix: str, tmp_path: Path) -> None:
    """Of interactions and of items; the line says which section to add. Other topics are nobody's business."""
    name = topic_prefix.lower().replace(".", "-")
    mine, lost, items = f"interactions.{name}", f"interactions.{name}-lost", f"items.{name}-lost"
    moved, capital, other = f"items.{name}", f"interactions.{name}-A", f"other.{name}"
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        topics = (mine, lost, items, moved, capital, other, f"{name}.items")
        made = {topic: {"num_partitions": 1, "replication_factor": 1} for topic in topics}
        admin.create_topics(made, wait_for_metadata=True)
    found = findings(bootstrap, tmp_path, {name: {"items_topic": f"{name}.items"}})
    assert not found[mine].warns
    assert found[mine].detail == "1 partition"
    for topic in (lost, items):
        assert found[topic].good
        assert found[topic].warns
        assert f"nobody reads it: add [domains.{name}-lost], or delete the topic" in found[topic].detail
    assert f"set domains.{name}.items_topic, which is {name}.items" in found[moved].detail
    assert f'add a domain with interactions_topic = "{capital}"' in found[capital].detail
    assert other not in found


def test_no_index_of_a_shard_is_needed(
    bootstrap: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that concerns no single shard is done: the topics of all are created."""
    monkeypatch.setattr("socket.gethostname", lambda: "host-37")
    config = tmp_path / "config.toml"
    names = {name: f"{topic_prefix}.{name}" for name in ("dead_letter", "forget", "canary")}
    shared = {name: f"{topic_prefix}.{name}" for name in ("facts", "reroute", "model")}
    config.write_text(
        f'[kafka]\nbootstrap_servers = ["{bootstrap}"]\n'
        + "".join(f'{name}_topic = "{topic}"\n' for name, topic in names.items())
        + "[shards]\ncount = 2\n"
        + "".join(f'{name}_topic = "{topic}"\n' for name, topic in shared.items())
        + f'[redis]\nurl = "redis://127.0.0.1:1/0"\n[checkpoint]\ndirectory = "{tmp_path}/state"\n'
        + f'[domains.books]\ninteractions_topic = "{topic_prefix}.in"\nitems_topic = "{topic_prefix}.items"\n'
    )
    found = {finding.what: finding for finding in check(load_for_check(config), create_topics=True)}
    assert {what for what, finding in found.items() if not finding.good} == {"store"}
    assert "2 shards; nothing of a single one" in found["shards"].detail
    assert "not looked at" in found["checkpoints"].detail


def test_a_start_names_all_that_lacks(bootstrap: str, topic_prefix: str, tmp_path: Path) -> None:
    """Missing topics are those that `check` names, also of dead letters and of shards; and the store is away, too."""
    settings = build(
        {
            "kafka": {"bootstrap_servers": [bootstrap], "dead_letter_topic": f"{topic_prefix}.dead"},
            "redis": {"url": "redis://127.0.0.1:1/0"},
            "shards": {
                "count": 2,
                "index": 0,
                "facts_topic": f"{topic_prefix}.facts",
                "model_topic": f"{topic_prefix}.model",
                "reroute_topic": f"{topic_prefix}.reroute",
            },
            "checkpoint": {"directory": str(tmp_path)},
            "domains": {"books": {"interactions_topic": f"{topic_prefix}.in"}},
        }
    )
    with pytest.raises(Stop) as caught:
        connect_both(settings)
    told = str(caught.value)
    for name in ("in", "dead", "facts", "model", "reroute"):
        assert f"{topic_prefix}.{name}" in told.partition(". Create them")[0]
    assert "And Redis at redis://127.0.0.1:1/0 cannot be reached" in told
