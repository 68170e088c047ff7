"""`crosscurrent check` tells of topics that look like a domain's and that nobody reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient

from consumers.cli.check import check
from consumers.cli.finding import Finding
from consumers.config.loader import build


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
