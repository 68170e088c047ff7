"""Own types of events go through the loop: learned, counted by their name, shown with their weight."""

from __future__ import annotations

import json

from consumers.config.loader import build
from consumers.events.record import Record
from tests.support.doubles import ListSink, ListSource
from tests.support.service.pipelines import list_pipeline

T0 = 1_700_000_000_000
SETTINGS = build(
    {
        "domains": {"movies": {}},
        "events": {"view": {"as": "click", "weight": 0.2}, "purchase": {"weight": 3}, "skip": {"as": "skip"}},
        "intake": {"ids": "any", "batch_events": 4},
        "learner": {"users": 64, "items_per_domain": 32},
    }
)


def record(offset: int, kind: str, user: int, item: int) -> Record:
    value = {"type": kind, "user_id": user, "item_id": item, "timestamp": T0 + 1000 * offset}
    return Record(
        "interactions.movies", 0, offset, T0 + 1000 * offset, b"%d" % user, json.dumps(value).encode()
    )


def test_own_types_are_learned_and_counted() -> None:
    """A view, a skip and a click with numbers as ids; a type that nobody named is a dead letter."""
    sink = ListSink()
    kinds = ("view", "skip", "click", "like")
    source = ListSource([record(n, kind, n % 2, n) for n, kind in enumerate(kinds)])
    pipeline = list_pipeline(SETTINGS, source, sink)
    while not source.exhausted:
        pipeline.step()
    pipeline.report()
    sample = pipeline.metrics.registry.get_sample_value
    for name, count in {"view": 1, "skip": 1, "click": 1, "rating": 0}.items():
        assert sample("crosscurrent_events_total", {"domain": "movies", "type": name}) == count
    assert sample("crosscurrent_event_weight", {"type": "view"}) == 0.2
    assert sample("crosscurrent_event_weight", {"type": "purchase"}) == 3
    assert sample("crosscurrent_kafka_silent_seconds") == 0
    assert sample("crosscurrent_key_mismatches_total") == 0
    assert [dict(letter.headers)["reason"] for letter in sink.letters] == [b"unknown_type"]
    popularity = pipeline.arms.full.ranker.statistics.popularity[0]
    assert popularity.events == 1.2
