"""Run `crosscurrent demo`: broker, store, producer and service on one machine, shown live."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.connections import connect_source, connect_store
from consumers.datasets.checking import Check
from consumers.datasets.opening import open_tables
from consumers.datasets.scan import scan
from consumers.datasets.understanding import show_understanding
from consumers.demo.drift_comparison import Kept, compare, show
from consumers.demo.embedded_servers import Broker, EmbeddedError, Store
from consumers.demo.live_view import View
from consumers.demo.options import DemoOptions
from consumers.demo.producer import Feed
from consumers.demo.producer_process import world_of
from consumers.errors import Stop
from consumers.kafka_client.client import client_options
from consumers.kafka_client.topics import create_topics
from consumers.report.writer import of_service
from consumers.service.service import Service
from consumers.service.telemetry import line
from consumers.terminal import log
from consumers.terminal.compiling import compile_first
from consumers.terminal.plain_text import joined, plain
from consumers.terminal.recommendations import show_recommendations
from models.assessment.prequential import NDCG_LOSS, RMSE
from serving.reader import Reader

SETTLE_SECONDS = 60.0
"""Seconds without learning, after everything is sent, until missing events count as lost."""


def run_demo(options: DemoOptions, console: Console | None = None) -> tuple[int, dict[str, Any]]:
    """Run everything. Return (exit code, summary); the code is 1 if anything was lost. Raises Stop."""
    console = console or log.console()
    domains = _domains(options, console)
    compile_first(console)
    with _servers() as (broker, store), tempfile.TemporaryDirectory(prefix="crosscurrent-demo-") as folder:
        settings = _settings(broker, store, Path(folder), domains)
        create_topics(client_options(settings.kafka), settings.topic_kinds())
        create_topics(client_options(settings.kafka), [(settings.kafka.dead_letter_topic, "interactions")], 1)
        feed = Feed(broker.bootstrap, options, list(domains))
        try:
            console.print("broker and store are up; loading the learners …", style="dim")
            service = Service(settings, connect_source(settings), connect_store(settings))
            service.freshness_ms = []
            kept = service.arms.prequential = Kept()
            with of_service(options.report, "Crosscurrent demo", service) as report:
                feed.wait_for_items()
                addresses = f"Kafka {broker.bootstrap}, Redis {store.url}"
                summary = _watch(service, feed, console, options, addresses)
                feed.stop()
                drifted = None
                if not options.files:
                    drifted = compare(kept, settings, world_of(options.events, options.seed), console)
                    summary |= {"drift": drifted.figures() if drifted is not None else None}
                report.more = [drifted.chart()] if drifted is not None else []
        finally:
            feed.stop()
        _show(console, store.url, settings, summary, service, options)
        if drifted is not None:
            story = [line(events, notice) for events, notice in service.pipeline.reporter.story]
            show(drifted, story, console)
        console.print(joined("\nreport as a page: ", (str(report.path), "bold")), soft_wrap=True)
        return (1 if summary["lost"] else 0), summary


@contextlib.contextmanager
def _servers() -> Iterator[tuple[Broker, Store]]:
    try:
        with Broker() as broker, Store() as store:
            yield broker, store
    except EmbeddedError as error:
        raise Stop(str(error)) from error


def _domains(options: DemoOptions, console: Console) -> dict[str, dict[str, Any]]:
    if not options.files:
        return {"movies": {"role": "source"}, "books": {"role": "source"}, "games": {"role": "target"}}
    check = Check(Settings())
    scans = [scan(table, check) for table in open_tables(options.files, None, options.reading)]
    show_understanding(scans, check, console)
    found = [(name, d) for s in scans if s.kind == "interactions" for name, d in s.domains.items()]
    events = {name: sum(d.clicks + d.ratings for other, d in found if other == name) for name, _ in found}
    low = min((d.lowest for _, d in found), default=0.0)
    high = max((d.highest for _, d in found), default=0.0)
    if not events:
        raise Stop("--replay: none of these files holds interactions")
    target = options.target or min(events, key=lambda name: events[name])
    if target not in events:
        raise Stop(f"--target {target}: the files hold {', '.join(events)}")
    limits = [low, high] if low < high else [1.0, 5.0]
    return {
        name: {"role": "target" if name == target else "source", "rating_range": limits} for name in events
    }


def _settings(broker: Broker, store: Store, folder: Path, domains: dict[str, dict[str, Any]]) -> Settings:
    return build(
        {
            "kafka": {"bootstrap_servers": [broker.bootstrap]},
            "redis": {"url": store.url},
            "metrics": {"port": 0},
            "checkpoint": {"directory": str(folder)},
            "domains": domains,
        }
    )


def _watch(
    service: Service, feed: Feed, console: Console, options: DemoOptions, addresses: str
) -> dict[str, Any]:
    """Run the service on this thread, while another one draws and waits for the end of the stream."""
    outcome: dict[str, Any] = {}
    view = View(service, console)

    def watch() -> None:
        try:
            outcome.update(_follow(service, feed, view, options.burst()))
            if options.keep:
                _say_where(service, console, addresses)
                return
        except (
            BaseException
        ) as error:  # also if the reader of the output has gone: that is raised again below
            outcome["error"] = error
        service.stopping = True

    watcher = threading.Thread(target=watch, name="demo", daemon=True)
    watcher.start()
    code = service.run()
    service.stopping = True  # the watcher must end with the service, for any reason
    watcher.join(5.0)
    if error := outcome.get("error"):
        raise error
    if code:
        raise Stop("the service failed; its message is above", code)
    if not outcome:
        raise Stop("stopped before the stream ended", 130)
    return _summary(service, outcome)


def _say_where(service: Service, console: Console, addresses: str) -> None:
    assert service.health is not None
    console.print(
        f"everything is learned and published; broker, store and service stay up: {addresses}, "
        f"http://{service.settings.metrics.host}:{service.health.port}/metrics\n"
        f"  redis-cli -u {service.settings.redis.url} GET cc:popular:{headline(service)[0]}\n"
        "Ctrl-C stops them and shows the summary",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


class Burst(NamedTuple):
    """What happened until the events that come first were learned. fresh: how many of them were published by then."""

    events: int
    seconds: float
    fresh: int


def _follow(service: Service, feed: Feed, view: View, burst: int) -> dict[str, Any]:
    """Draw until everything is learned and published. burst: how many events come first, fast."""
    while service.ready() is not None and not service.stopping:
        time.sleep(0.05)
    feed.go()
    begun, first = time.monotonic(), Burst(0, 0.0, 0)
    with view:
        while not feed.finished() and not service.stopping:
            learned = service.pipeline.totals["learned"]
            if not first.events and 0 < burst <= learned:
                first = Burst(learned, time.monotonic() - begun, len(service.freshness_ms or ()))
            view.refresh()
            time.sleep(0.1)
        counts = feed.counts()
        known, deadline = -1, 0.0
        while not _settled(service, counts) and not service.stopping:
            learned = service.pipeline.totals["interactions"]
            if learned > known:  # a slow machine gets the time it needs
                known, deadline = learned, time.monotonic() + SETTLE_SECONDS
            elif time.monotonic() > deadline:
                break
            view.refresh()
            time.sleep(0.1)
        view.refresh()
    return {"sent": counts["interactions"], "seconds": time.monotonic() - begun, "burst": first}


def _settled(service: Service, counts: dict[str, int]) -> bool:
    totals = service.pipeline.totals
    taken = totals["learned"] + totals["duplicates"] + totals["dead_letters"]
    publisher = service.publisher
    return taken >= counts["interactions"] and not (
        (publisher is not None and publisher.backlog()) or service.pipeline.queue.backlog()
    )


def _summary(service: Service, outcome: dict[str, Any]) -> dict[str, Any]:
    totals = service.pipeline.totals
    burst: Burst = outcome["burst"]
    fresh = np.array((service.freshness_ms or [])[burst.fresh :] or [0.0])
    target, metric = headline(service)
    prequential = service.arms.prequential
    seconds = outcome["seconds"]
    taken = totals["learned"] + totals["duplicates"] + totals["dead_letters"]
    return {
        "events_in": outcome["sent"],
        "learned": totals["learned"],
        "duplicates": totals["duplicates"],
        "dead_letters": totals["dead_letters"],
        "lost": outcome["sent"] - taken,
        "seconds": round(seconds, 2),
        "events_per_second": round(taken / seconds, 1),
        "burst_events": burst.events,
        "burst_events_per_second": round(burst.events / burst.seconds, 1) if burst.events else None,
        "freshness_p50_ms": round(float(np.percentile(fresh, 50)), 1),
        "freshness_p99_ms": round(float(np.percentile(fresh, 99)), 1),
        "target": target,
        "error_metric": metric,
        "target_error_with_transfer": prequential.error(target, metric, "full", overall=True),
        "target_error_without_transfer": prequential.error(target, metric, "target_only", overall=True),
    }


def headline(service: Service) -> tuple[str, str]:
    """Return the target and the metric that the demo compares: rating error if there are ratings."""
    target = next(name for name, d in service.settings.domains.items() if d.role != "source")
    rated = service.arms.prequential.count(target, RMSE, "full")
    return target, RMSE if rated else NDCG_LOSS


def _show(
    console: Console,
    url: str,
    settings: Settings,
    summary: dict[str, Any],
    service: Service,
    options: DemoOptions,
) -> None:
    """Print the summary and how to read a recommendation, which is read once here to prove that it works."""
    without, with_transfer = summary["target_error_without_transfer"], summary["target_error_with_transfer"]
    console.print(
        joined(
            "\n",
            (f"{summary['events_in']:,}", "bold"),
            f" events in {summary['seconds']:.0f} s: {summary['learned']:,} learned, "
            f"{summary['duplicates']:,} duplicates, {summary['dead_letters']:,} dead letters, ",
            (f"{summary['lost']:,} lost", "bold"),
        )
    )
    if summary["burst_events"]:
        console.print(
            f"the first {summary['burst_events']:,} learned at {summary['burst_events_per_second']:,.0f} a second; "
            "from then on:"
        )
    console.print(
        f"fresh in the store after {summary['freshness_p50_ms']:.0f} ms (median), "
        f"{summary['freshness_p99_ms']:.0f} ms (99th percentile)"
    )
    if without is not None and with_transfer is not None:
        console.print(
            joined(
                f"{summary['error_metric']} in {summary['target']}: ",
                (f"{with_transfer:.4f}", "bold"),
                f" with transfer, {without:.4f} without ({100 * (1 - with_transfer / without):+.1f} % better)",
            )
        )
    target = summary["target"]
    user = next(
        (u for u in reversed(list(service.arms.full.users)) if service.arms.full.events_of(u)[target]), None
    )
    if user is None:
        return
    console.print()
    show_recommendations(Reader(url, settings.redis.prefix), user, target, 5, console)
    console.print(plain("\nThis list from a shell", "bold"))
    console.print(plain(f"  redis-cli -u {url} GET 'cc:rec:{{{user}}}:{target}'"), soft_wrap=True)
    console.print(plain("and from Python", "bold"))
    console.print("  from serving.reader import Reader")
    console.print(plain(f"  Reader({url!r}).recommend({user!r}, {target!r}, 5)"), soft_wrap=True)
    if not options.keep:
        console.print(
            "(broker and store end with this demo; crosscurrent demo --keep leaves them running)", style="dim"
        )
