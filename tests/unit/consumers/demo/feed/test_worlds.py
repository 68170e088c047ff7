"""What the demo streams: worlds that end now, in the domains of their scenario."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from consumers.config.loader import build
from consumers.demo.feed.producer_process import take, with_faults
from consumers.demo.feed.worlds import about, did_of, domains_of, world_of
from consumers.demo.options import DemoOptions
from consumers.errors import Stop
from consumers.simulator.event_stream import Simulator
from consumers.simulator.scenarios.scenario import NAMES

NOW = 1_795_000_000.0
CONSOLE = Console(file=io.StringIO())


@pytest.mark.parametrize("name", [None, *NAMES])
def test_the_last_event_is_now(name: str | None) -> None:
    """Whatever the scenario; own events beside it are neither far ahead of it nor far behind."""
    options = DemoOptions(1_000, None, 0, scenario=name)  # type: ignore[arg-type]
    world = world_of(options, clock=lambda: NOW)
    assert world is not None
    times = [record.timestamp for record in Simulator(world).events() if record.kind == "interactions"]
    assert times[-1] is not None
    assert abs(times[-1] - 1000 * NOW) <= 1
    assert len(times) == 1_000
    settings = build({"domains": domains_of(options, world, CONSOLE)})
    assert [d.role for d in settings.domains.values()] == ["source", "source", "target"]
    assert did_of(options)
    assert all(spec.name in about(options) for spec in world.domains)


def test_the_pace_is_said_in_hours_or_days() -> None:
    """News in hours, courses in days."""
    assert "articles 6 hours" in about(DemoOptions(1_000, None, 0, scenario="news"))
    assert "covers 365 days" in about(DemoOptions(1_000, None, 0, scenario="courses"))
    assert "queries 1 day," in about(DemoOptions(1_000, None, 0, scenario="search"))


def test_own_files_have_their_domains(tmp_path: Path) -> None:
    """The domain with the fewest events is the target, unless the user names another."""
    path = tmp_path / "own.csv"
    lines = ["user_id,item_id,domain,rating,timestamp"]
    lines += [
        f"u{n % 5},i{n},{'big' if n % 3 else 'small'},{1 + n % 5},{1_790_000_000 + n}" for n in range(30)
    ]
    path.write_text("\n".join(lines) + "\n")
    options = DemoOptions(1_000, None, 0, files=(path,))
    assert world_of(options) is None
    found = domains_of(options, None, CONSOLE)
    assert {name: domain["role"] for name, domain in found.items()} == {"big": "source", "small": "target"}
    with pytest.raises(Stop, match="--target games: the files hold"):
        domains_of(DemoOptions(1_000, None, 0, files=(path,), target="games"), None, CONSOLE)


def test_faults_and_the_burst_count_events_only() -> None:
    """Items that appear in the stream are neither repeated nor counted."""
    world = world_of(DemoOptions(1_000, None, 0, scenario="news"), clock=lambda: NOW)
    assert world is not None
    records = list(with_faults(Simulator(world).events()))
    kinds = [record.kind for record in records]
    assert kinds.count("interactions") == 1_000 + 1_000 // 500 + 1_000 // 200
    assert kinds.count("items") == len({record.key for record in records if record.kind == "items"}) > 0
    first = list(take(iter(records), 600))
    assert sum(record.kind == "interactions" for record in first) == 600
    assert len(first) > 600
