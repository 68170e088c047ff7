"""Rows without an event_id get one, so that a file that is sent again is not learned again."""

from __future__ import annotations

import msgspec

from consumers.config.loader import build
from consumers.datasets.record import Sent
from consumers.events.deduplication import DedupWindow
from consumers.events.record import Record
from consumers.formats.topic_reader import decoder_of
from consumers.replay.event_ids import with_event_ids
from models.schema import Interaction

T0 = 1_700_000_000_000


def click(n: int, at: int | None = T0, domain: str = "movies", **fields: object) -> Sent:
    value: dict[str, object] = {"type": "click", "user_id": f"u{n}", "item_id": "i"}
    if at is not None:
        value["timestamp"] = at
    return Sent("interactions", domain, b"u%d" % n, msgspec.json.encode(value | fields), at)


def ids(events: list[Sent], remembered: int = 100) -> list[str | None]:
    """Return the event_ids that are sent."""
    sent = [msgspec.json.decode(one.value or b"") for one in with_event_ids(events, remembered)]
    return [value.get("event_id") for value in sent]


def test_ids_are_stable_and_tell_rows_apart() -> None:
    """Equal rows differ by their number; the same rows have the same ids again."""
    rows = [click(1), click(2), click(1), click(1, T0 + 1), click(1, domain="games"), click(1)]
    given = ids(rows)
    assert len(set(given)) == len(rows)
    assert ids(rows) == given
    first, third, last = given[0] or "", given[2] or "", given[5] or ""
    assert [first[-2:], third[-2:], last[-2:]] == ["-0", "-1", "-2"]


def test_own_ids_stay_and_rows_without_a_time_get_none() -> None:
    """An equal row without a time may be another event."""
    assert ids([click(1, event_id="own"), click(1, None), click(1, None)]) == ["own", None, None]


def test_the_same_file_again_is_repeated_and_nothing_else() -> None:
    """What is sent decodes to the same events, whose ids the window knows at the second time."""
    decode = decoder_of(build({"domains": {"movies": {}}}), lambda: T0 / 1000).decode
    window = DedupWindow(100)
    rows = [click(n % 7, T0 - n % 3, context={"event": "é"}) for n in range(50)]
    for again in (False, True):
        for sent in with_event_ids(rows, 100):
            event = decode(Record("interactions.movies", 0, 0, T0, sent.key, sent.value))
            assert isinstance(event, Interaction)
            assert window.repeated("movies", event.event_id) == again


def test_memory_is_bounded_and_no_event_is_lost_by_that() -> None:
    """A row that comes again after as many others as the window holds may have its first id: that is forgotten."""
    window = DedupWindow(5)
    rows = [
        click(0),
        *map(click, range(1, 4)),
        click(0),
        *map(click, range(4, 9)),
        click(0),
        click(9),
        click(0),
    ]
    assert not any(window.repeated("movies", name) for name in ids(rows, 5))
