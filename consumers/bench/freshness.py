"""Measure a contestant: a `crosscurrent run` process that learns a steady stream, and how soon it is readable.

Fields of the task: `rate`, `impressions`, `seconds`, `users`, `items`, `bootstrap`, `prefix`. It starts a store of its
own. The service measures the time from each Kafka record to the acknowledged write of its user. A watcher sees in the
store when the lists of some events are there.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from consumers.bench.parts.list_watch import ListWatch
from consumers.bench.parts.service_process import EVENTS, Metrics, ServiceProcess
from consumers.bench.parts.stream import roles, world
from consumers.bench.parts.task import Task, answer
from consumers.bench.parts.topics import Topics
from consumers.datasets.record import Sent
from consumers.demo.embedded_servers import Store
from consumers.events.rules import IMPRESSION
from consumers.kafka_client.producer import make_producer
from consumers.replay.delivery import send
from consumers.simulator.event_stream import Simulator

WARM_UP = 0.25
"""Share of the time, at the beginning, that is not measured."""
WATCHED_A_SECOND = 50
GRACE = 0.5
"""Share of the time for which lists that are missing at the end are still awaited."""
HISTOGRAM = "freshness_seconds"
SHOWN, CLICKED = 20, 0.3
"""Items of an impression, and the share of impressions that are clicked."""


def measure(task: Task) -> dict[str, Any]:
    """Send events at the rate for `seconds`; return percentiles in milliseconds."""
    with Store() as store, tempfile.TemporaryDirectory() as folder:
        settings = world(10**9, task.users, task.items, start_ms=None)
        simulator = Simulator(settings)
        domains = roles([spec.name for spec in settings.domains], [])
        topics = Topics(task.prefix)
        topics.make(task.bootstrap, [domain.name for domain in domains])
        with make_producer({"bootstrap_servers": task.bootstrap}) as producer:
            send(simulator.items(), producer, topics.of)
        task = msgspec.structs.replace(task, url=store.url)
        with ServiceProcess(Path(folder), task, domains) as service:
            service.wait_until_ready()
            return _watched(service, simulator.events(), task)


def _watched(service: ServiceProcess, events: Iterable[Sent], task: Task) -> dict[str, Any]:
    """Return the figures of the time after the warm-up."""
    watch, begun = ListWatch(task.url), time.monotonic()
    judged_from = begun + WARM_UP * task.seconds
    watch.start()
    some = islice(events, int(task.rate * task.seconds))
    feed = threading.Thread(
        target=_send, args=(shown_before(_seen(some, watch, judged_from, task), task), task)
    )
    feed.start()
    time.sleep(max(0.0, judged_from - time.monotonic()))
    before, at = service.metrics(), time.monotonic()
    feed.join()
    service.check()
    after, seconds = service.metrics(), time.monotonic() - at
    missing = watch.end(GRACE * task.seconds)
    learned = (after[EVENTS] - before[EVENTS]) / seconds
    counts = counted_between(before, after)
    lists = np.array(watch.seconds or [np.nan]) * 1000
    return {
        "rate": task.rate,
        "learned_per_second": learned,
        "behind": task.rate * task.seconds - after[EVENTS],
        "p50_ms": 1000 * quantile(counts, 0.5),
        "p99_ms": 1000 * quantile(counts, 0.99),
        "lists_p50_ms": float(np.percentile(lists, 50)),
        "lists_p99_ms": float(np.percentile(lists, 99)),
        "lists_watched": len(watch.seconds),
        "lists_missing": missing,
    }


def _send(events: Iterable[Sent], task: Task) -> None:
    with make_producer({"bootstrap_servers": task.bootstrap}, live=True) as producer:
        send(events, producer, Topics(task.prefix).of, rate=task.rate + task.impressions)


def shown_before(events: Iterable[Sent], task: Task) -> Iterator[Sent]:
    """Before some of the events, yield an impression for their user, which shows the event's item if it is clicked."""
    rng, due = random.Random(0), 0.0
    latest: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=10 * SHOWN))
    for number, event in enumerate(events):
        assert event.value is not None
        item = msgspec.json.decode(event.value)["item_id"]
        others = [one for one in dict.fromkeys(latest[event.domain]) if one != item]
        due += task.impressions / task.rate
        if due >= 1 and len(others) >= SHOWN:
            due -= 1
            items = rng.sample(others, SHOWN)
            if rng.random() < CLICKED:
                items[rng.randrange(SHOWN)] = item
            shown = {
                "type": IMPRESSION, "user_id": event.key.decode(), "items": items, "event_id": f"s{number}",
                "timestamp": event.timestamp,
            }  # fmt: skip
            yield msgspec.structs.replace(event, value=msgspec.json.encode(shown))
        latest[event.domain].append(item)
        yield event


def _seen(events: Iterable[Sent], watch: ListWatch, since: float, task: Task) -> Iterator[Sent]:
    """Pass events on; show some of them to the watcher, from `since` (monotonic seconds) on."""
    every = max(1, int(task.rate / WATCHED_A_SECOND))
    for number, event in enumerate(events):
        if number % every == 0 and time.monotonic() >= since:
            assert event.timestamp is not None
            watch.sent(event.key.decode(), event.domain, event.timestamp)
        yield event


def counted_between(before: Metrics, after: Metrics) -> dict[float, float]:
    """Return what the histogram of freshness has counted between two looks: cumulative counts by upper bound."""
    old = before.buckets(HISTOGRAM)
    return {bound: count - old.get(bound, 0.0) for bound, count in after.buckets(HISTOGRAM).items()}


def quantile(cumulative: Mapping[float, float], share: float) -> float:
    """Return the quantile of a histogram, linear within its bucket as in Prometheus; nan without observations.

    cumulative: counts by upper bound, ascending. Beyond the last finite bound it is that bound.
    """
    total = max(cumulative.values(), default=0.0)
    low = below = 0.0
    for bound, count in cumulative.items():
        if total and count >= share * total:
            inside = (share * total - below) / max(count - below, 1e-12)
            return low if bound == float("inf") else low + inside * (bound - low)
        low, below = bound, count
    return float("nan")


if __name__ == "__main__":
    answer(measure)
