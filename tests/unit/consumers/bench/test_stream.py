"""Generated events are in time order, by a power law, and come in visits. Sets are found in folders."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from consumers.bench.parts.stream import generated, interaction, item, of_folder, records, world
from consumers.bench.run.plan import sets_in
from consumers.errors import Stop
from consumers.simulator.event_stream import Simulator
from consumers.simulator.output import write_files


def test_generated_events_have_their_shape() -> None:
    """The stream has three domains, ratings, clicks, and few users at a time; a tenth of the items has half of it."""
    stream = generated(4_000)
    events = stream.events
    assert len(events) == 4_000
    assert all(one.timestamp < other.timestamp for one, other in pairwise(events))
    assert {event.kind for event in events} == {"click", "rating"}
    assert [domain.role for domain in stream.domains] == ["source", "source", "target"]
    assert len(stream.items) == 10_000
    items = Counter((event.domain, event.item) for event in events)
    popular = sum(count for _, count in items.most_common(len(items) // 10))
    assert popular > len(events) / 3
    in_batches = [len({event.user for event in events[n : n + 256]}) for n in range(0, 3_840, 256)]
    assert max(in_batches) < 100  # 256 events drawn one by one would have more than 150 of 2,000 users


def test_generated_events_are_the_same_every_time() -> None:
    """Contestants in different processes get equal events."""
    assert generated(500).events == generated(500).events


def test_records_read_back() -> None:
    """What is sent to Kafka holds the events and items of the stream."""
    stream = generated(300)
    sent = list(records(stream))
    assert [interaction(record) for record in sent if record.kind == "interactions"] == stream.events
    assert [item(record) for record in sent if record.kind == "items"] == stream.items


def test_a_folder_is_read(tmp_path: Path) -> None:
    """A set's first events in time and all items are read; the domain with fewest events is the target."""
    settings = msgspec.structs.replace(world(600, 40, 60), seed=1)
    write_files(Simulator(settings), tmp_path / "small")
    stream = of_folder(tmp_path / "small", 400)
    assert len(stream.events) == 400
    assert len(stream.items) == 60
    assert {domain.name: domain.role for domain in stream.domains} == {
        "movies": "source", "books": "source", "games": "target",
    }  # fmt: skip
    assert all(domain.recommend for domain in stream.domains)
    assert sets_in(tmp_path) == (("small", str(tmp_path / "small")),)
    assert sets_in(tmp_path / "small") == (("small", str(tmp_path / "small")),)


def test_a_folder_without_a_set(tmp_path: Path) -> None:
    """The message names the folder and the files that are missing."""
    with pytest.raises(Stop, match=r"--data .*interactions\.csv\.gz"):
        sets_in(tmp_path)
