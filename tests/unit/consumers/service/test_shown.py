"""Impressions go through the loop: decoded, matched with clicks in the order of the log, and counted."""

from __future__ import annotations

import json
from typing import Any

from structlog.testing import capture_logs

from consumers.config.loader import build
from consumers.events.record import Record
from consumers.service.pipeline import Pipeline
from consumers.service.stages.learning_stage import UNKNOWN_IMPRESSION, WRONG_ITEM_KEY, WRONG_KEY
from models.schema import Item
from serving.client.pseudonyms import Pseudonyms
from tests.support.doubles import ListSource
from tests.support.service.pipelines import list_pipeline

T0 = 1_700_000_000_000
MINUTE = 60_000
SETTINGS = build(
    {
        "domains": {"movies": {}},
        "kafka": {"forget_topic": "forget"},
        "events": {"view": {"weight": 0.2}, "skip": {"as": "skip"}},
        "intake": {"batch_events": 4},
        "learner": {"users": 64, "items_per_domain": 32},
    }
)


def record(offset: int, value: dict[str, Any], user: str = "u", at: int | None = None) -> Record:
    """Return an event of a user. at: ms after the start; by default its offset in seconds."""
    time = T0 + (1000 * offset if at is None else at)
    data = json.dumps({"user_id": user, "timestamp": time} | value).encode()
    return Record("interactions.movies", 0, offset, time, user.encode(), data)


def shown(offset: int, *items: str, user: str = "u", at: int | None = None, **more: Any) -> Record:
    return record(offset, {"type": "impression", "items": list(items)} | more, user, at)


def click(offset: int, item: str, user: str = "u", at: int | None = None, **more: Any) -> Record:
    return record(offset, {"type": "click", "item_id": item} | more, user, at)


def run(*records: Record) -> Pipeline:
    source = ListSource(list(records))
    pipeline = list_pipeline(SETTINGS, source)
    while not source.exhausted or len(pipeline.batcher):
        pipeline.step()
        if source.exhausted and (batch := pipeline.batcher.take(flush=True)) is not None:
            pipeline.learning.learn(batch)
    return pipeline


def counts(pipeline: Pipeline, name: str, label: str = "outcome") -> dict[str, float]:
    """Return what a counter has counted of movies, by a label, without zeros."""
    return {
        sample.labels.get(label, ""): sample.value
        for family in pipeline.metrics.registry.collect()
        for sample in family.samples
        if sample.name == f"crosscurrent_{name}_total"
        and sample.labels["domain"] == "movies"
        and sample.value
    }


def test_clicks_answer_what_was_shown_before_them() -> None:
    """Within one micro-batch and over several. A skip answers nothing."""
    pipeline = run(
        shown(0, "a", "b", "c"),
        click(1, "c"),
        click(2, "b"),
        click(3, "b"),
        record(4, {"type": "view", "item_id": "a"}),
        record(5, {"type": "skip", "item_id": "a"}),
        record(6, {"type": "rating", "item_id": "z", "value": 3}),
        click(7, "a", impression="none"),
        shown(8, *map(str, range(60)), event_id="p2"),
        click(9, "59", impression="p2"),
        click(10, "20", impression="p2"),
    )
    assert counts(pipeline, "impressions") == {"kept": 2}
    assert counts(pipeline, "impression_clicks") == {"answered": 5, "again": 1, "unshown": 1, "missing": 1}
    assert counts(pipeline, "impressions_clicked", "none") == {"": 2}
    assert counts(pipeline, "clicks_below_a_click", "none") == {}
    assert counts(pipeline, "position_clicks", "position") == {
        "1": 1,
        "2": 1,
        "3": 1,
        "21-50": 1,
        "51-200": 1,
    }
    shows = counts(pipeline, "position_shows", "position")
    assert [shows[str(n)] for n in (1, 2, 3, 4, 20)] == [2, 2, 2, 1, 1]
    assert (shows["21-50"], shows["51-200"], sum(shows.values())) == (30, 10, 63)
    assert pipeline.totals["learned"] == 9
    assert pipeline.totals["impressions"] == 2


def test_clicks_below_a_click() -> None:
    """A reader who goes on after a click."""
    pipeline = run(shown(0, "a", "b", "c"), click(1, "a"), click(2, "c"), click(3, "b"), click(4, "b"))
    assert counts(pipeline, "clicks_below_a_click", "none") == {"": 2}
    assert counts(pipeline, "impressions_clicked", "none") == {"": 1}


def test_each_impression_has_one_outcome() -> None:
    """A repeated event_id is dropped; without one a repeat is a new impression. Events have their own event_ids."""
    pipeline = run(
        shown(0, "a", event_id="p1"),
        shown(1, "b", event_id="p1"),
        shown(2, "c"),
        shown(3, "c", at=2000),
        shown(4, "d", at=1000),
        shown(5, "e", at=40 * MINUTE),
        shown(6, "f", at=5 * MINUTE),
        click(7, "a", at=40 * MINUTE, event_id="p1"),
        click(8, "e", at=41 * MINUTE, event_id="p1"),
    )
    assert counts(pipeline, "impressions") == {"kept": 4, "duplicate": 1, "out_of_order": 1, "late": 1}
    assert counts(pipeline, "duplicates", "none") == {"": 1}
    assert counts(pipeline, "impression_clicks") == {"unshown": 1}
    assert (pipeline.totals["repeated_impressions"], pipeline.totals["duplicates"]) == (1, 1)
    assert counts(pipeline, "position_shows", "position") == {"1": 5}


def test_a_click_that_comes_before_its_impression_is_not_counted_again() -> None:
    """What was counted stays."""
    pipeline = run(shown(0, "a"), click(1, "b", at=5000), shown(2, "b", at=4000), click(3, "b", at=6000))
    assert counts(pipeline, "impression_clicks") == {"unshown": 1, "answered": 1}


def test_impressions_of_a_forgotten_user() -> None:
    """Those before the request go, and later ones count anew."""
    request = json.dumps({"timestamp": T0 + 2500}).encode()
    mark = Pseudonyms().mark("u").encode()
    pipeline = run(
        shown(0, "a"),
        shown(1, "a", user="v"),
        Record("forget", 0, 0, T0 + 2500, mark, request),
        shown(2, "b"),
        click(3, "a"),
        shown(4, "c"),
        click(5, "c"),
        click(6, "a", user="v"),
    )
    assert counts(pipeline, "forgotten", "none") == {"": 1}
    assert pipeline.totals["forgotten_impressions"] == 1
    assert counts(pipeline, "impressions") == {"kept": 3}
    assert counts(pipeline, "impression_clicks") == {"unshown": 1, "answered": 2}


def test_a_key_that_is_not_the_user() -> None:
    """It is counted, and the impression counts."""
    pipeline = run(shown(0, "a")._replace(key=b"other"), click(1, "a"))
    assert pipeline.metrics.registry.get_sample_value("crosscurrent_key_mismatches_total") == 1
    assert counts(pipeline, "impression_clicks") == {"answered": 1}


def test_the_first_of_what_is_only_counted_is_logged_with_its_place() -> None:
    """One line for each topic and kind, by which the record can be found."""
    item = Record("items.movies", 0, 9, T0, b"other", b'{"item_id": "a"}')
    with capture_logs() as lines:
        run(
            click(0, "a", impression="none"),
            click(1, "a")._replace(key=b"other"),
            click(2, "b", impression="none")._replace(key=None),
            item,
            item._replace(offset=10),
        )
    warned = [
        (x["event"], x["topic"], x["partition"], x["offset"]) for x in lines if x["log_level"] == "warning"
    ]
    assert sorted(warned) == [
        (UNKNOWN_IMPRESSION, "interactions.movies", 0, 0),
        (WRONG_ITEM_KEY, "items.movies", 0, 9),
        (WRONG_KEY, "interactions.movies", 0, 1),
    ]


def test_without_impressions_nothing_is_counted() -> None:
    """All counters are there, with 0."""
    pipeline = run(*(click(n, "a") for n in range(5)))
    for name in ("impressions", "impression_clicks", "position_shows", "position_clicks"):
        assert counts(pipeline, name) == {}
    labels = {"domain": "movies", "outcome": "kept"}
    assert pipeline.metrics.registry.get_sample_value("crosscurrent_impressions_total", labels) == 0


def test_events_of_published_lists() -> None:
    """Of an event's user, the list that was published last counts. Without impressions nothing is counted."""
    source = ListSource([shown(0, "a"), click(1, "b"), click(2, "c"), click(3, "z", user="stranger")])
    pipeline = list_pipeline(SETTINGS, source)
    pipeline.arms.put_item(Item("movies", "b"))
    row = pipeline.arms.full.rows.user("u")
    item = pipeline.arms.full.item_row("movies", "b")
    assert item is not None
    pipeline.queue.index.write("movies", row, [item], 1.0)
    while (batch := pipeline.batcher.take(flush=True)) is not None or not source.exhausted:
        pipeline.intake.take_in()
        if batch is not None:
            pipeline.learning.learn(batch)
    assert counts(pipeline, "listed_events", "policy") == {"default": 2}
    assert counts(pipeline, "list_hits", "k") == {"1": 1, "10": 1, "50": 1}


def test_impressions_and_clicks_by_policy() -> None:
    """Without an experiment all are of the default."""
    pipeline = run(shown(0, "a", "b"), click(1, "a"), click(2, "b"), click(3, "b"), shown(4, "c"))
    assert counts(pipeline, "policy_impressions", "policy") == {"default": 2}
    assert counts(pipeline, "policy_clicks", "policy") == {"default": 2}
