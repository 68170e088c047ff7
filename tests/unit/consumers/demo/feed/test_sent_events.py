"""What the feed keeps of its events: those to be learned, apart from malformed ones and repeats."""

from __future__ import annotations

from pathlib import Path

from consumers.demo.feed.producer_process import DOUBLE_EVERY, POISON_EVERY, with_faults
from consumers.demo.feed.sent_events import POISON, SentEvent, Sorting, read_sent
from consumers.demo.feed.worlds import world_of
from consumers.demo.options import DemoOptions
from consumers.simulator.event_stream import Simulator


def test_the_faults_of_the_simulated_stream_are_told_apart(tmp_path: Path) -> None:
    """Every event once, and as many malformed ones and repeats as were put in; a file keeps all of it."""
    world = world_of(DemoOptions(2_000, None, 3))
    assert world is not None
    sorting = Sorting()
    for n, record in enumerate(with_faults(Simulator(world).events())):
        if record.kind == "interactions" and record.value is not None:
            sorting.add(record.domain, record.key, record.value, 1_000 + n)
    sent = sorting.sent
    assert (len(sent.events), sent.malformed, sent.repeats) == (
        2_000,
        2_000 // POISON_EVERY,
        2_000 // DOUBLE_EVERY,
    )
    assert [event.sent_ms for event in sent.events] == sorted(event.sent_ms for event in sent.events)
    sent.write(tmp_path / "sent")
    assert read_sent(tmp_path / "sent") == sent


def test_an_event_without_an_id_is_no_repeat() -> None:
    """Own files may have none. The same id in another domain is another event."""
    sorting = Sorting()
    for domain, value in (
        ("games", b'{"type":"click"}'),
        ("games", b'{"type":"click"}'),
        ("games", b'{"type":"click","event_id":"e1"}'),
        ("movies", b'{"type":"click","event_id":"e1"}'),
        ("movies", b'{"type":"click","event_id":"e1"}'),
        ("games", POISON[2]),
    ):
        sorting.add(domain, "ånn".encode(), value, 5)
    assert sorting.sent.events == [SentEvent(d, "ånn", 5) for d in ("games", "games", "games", "movies")]
    assert (sorting.sent.malformed, sorting.sent.repeats) == (1, 1)
