"""Run `crosscurrent demo`: broker, store, producer and service on one machine, shown live."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from consumers.config.loader import build
from consumers.connections import connect_source, connect_store
from consumers.demo.accounts import account
from consumers.demo.addresses import (
    Ports,
    config_file,
    config_of,
    from_environment,
    kept_ports,
    may_write,
    servers,
)
from consumers.demo.drift_comparison import Drifted, Kept, OtherPass, compare, show
from consumers.demo.embedded_servers import free_port
from consumers.demo.feed.producer import Feed
from consumers.demo.feed.worlds import about, did_of, domains_of, world_of
from consumers.demo.following import Followed, follow
from consumers.demo.live_view import View
from consumers.demo.options import DemoOptions
from consumers.demo.showcase import Showcase, Shown
from consumers.demo.summary import (
    figures,
    headline,
    show_account,
    show_addresses,
    show_next,
    show_summary,
    show_up,
)
from consumers.errors import Stop
from consumers.kafka_client.client import client_options
from consumers.kafka_client.topics import create_topics
from consumers.report.writer import Writer, of_service
from consumers.service.service import Service
from consumers.service.telemetry import line
from consumers.simulator.world_settings import WorldSettings
from consumers.terminal import log
from consumers.terminal.compiling import compile_first
from consumers.terminal.plain_text import joined, plain
from serving.client import Reader, Unreachable
from serving.contract import ListedItem


def run_demo(options: DemoOptions, console: Console | None = None) -> tuple[int, dict[str, Any]]:
    """Run everything. Return (exit code, summary); the code is 1 if anything was lost. Raises Stop."""
    console = console or log.console()
    if options.keep:
        may_write(options.config)
    world = world_of(options)
    console.print(plain(about(options), "bold"))
    domains = domains_of(options, world, console)
    compile_first(console)
    taken, ignored = from_environment(os.environ, several=False)
    for told in ignored:
        console.print(plain(told, "yellow"), soft_wrap=True)
    ports, said = kept_ports(options.ports) if options.keep else (Ports(metrics=free_port()), [])
    with (
        servers(ports) as (broker, store),
        tempfile.TemporaryDirectory(prefix="crosscurrent-demo-") as folder,
    ):
        config = config_of(broker, store, ports, Path(folder), domains)
        settings = build(config, taken)
        create_topics(client_options(settings.kafka), settings.topic_kinds())
        create_topics(client_options(settings.kafka), [(settings.kafka.dead_letter_topic, "interactions")], 1)
        with contextlib.ExitStack() as stack:
            if options.keep:
                stack.enter_context(config_file(options.config, config))
            feed = Feed(broker.bootstrap, options, list(domains), world)
            stack.callback(feed.stop)
            show_up(broker.bootstrap, store.url, console, settings.metrics)
            service = Service(settings, connect_source(settings), connect_store(settings))
            with of_service(options.report, "Crosscurrent demo", service) as report:
                feed.wait_for_items()
                shown = _Demo(service, feed, report, options, world, console)
                return shown.run(said)


def _personal(reader: Reader, user: str, domain: str) -> list[ListedItem]:
    """Return the user's own list in the store; empty without one, and while the store is away."""
    try:
        got = reader.recommend(user, domain)
    except Unreachable:
        return []
    return got.items if got.origin == "personal" else []


LOOK_PATIENCE = 5.0
"""Most seconds to wait for the last look."""


class _Outcome(NamedTuple):
    """How the stream went, and the comparison without adaptation, if there is one."""

    went: Followed
    drifted: Drifted | None


class _Demo:
    """A service and what is shown of it. The service runs on the calling thread; another one draws and prints."""

    def __init__(
        self, service: Service, feed: Feed, report: Writer, options: DemoOptions, world: WorldSettings | None,
        console: Console,
    ) -> None:  # fmt: skip
        self._service, self._feed, self._report = service, feed, report
        self._options, self._world, self._console = options, world, console
        service.freshness_ms = []
        self._kept = service.arms.prequential = Kept()
        target, redis = headline(service)[0], service.settings.redis
        reader = Reader(redis.url, redis.prefix)
        shown = Shown(target, did_of(options), lambda user: _personal(reader, user, target))
        self._showcase = Showcase(service.arms, shown)
        service.after_turn = self._look
        self._learned, self._looked = threading.Event(), threading.Event()
        """Whether everything is learned, and whether the showcase has looked since."""
        self._other: OtherPass | None = None
        if world is not None and options.scenario is None:
            self._other = OtherPass(service.settings, world)
        self._outcome: _Outcome | None = None
        self._error: BaseException | None = None

    def _look(self) -> None:
        """Look at the learners, on the loop's thread; once all is learned, for certain."""
        last = self._learned.is_set() and not self._looked.is_set()
        self._showcase.look(now=last)
        self._report.example = self._showcase.example
        if last:
            self._looked.set()

    def run(self, said: list[str]) -> tuple[int, dict[str, Any]]:
        """Run the service until the stream is learned, or with `keep` until Ctrl-C. Return (exit code, summary)."""
        service, console = self._service, self._console
        watcher = threading.Thread(target=self._watch, args=[said], name="demo", daemon=True)
        watcher.start()
        code = service.run()
        service.stopping = True  # the watcher must end with the service, for any reason
        watcher.join(5.0)
        if self._error is not None:
            raise self._error
        if code:
            raise Stop("the service failed; its message is above", code)
        if self._outcome is None:
            raise Stop("stopped before the stream ended", 130)
        went, drifted = self._outcome
        counted = account(service.settings, service.pipeline, went.placed)
        console.print()
        show_account(counted, None if self._options.keep else went.seconds, console)
        summary = figures(service, went, counted)
        if not self._options.keep:
            self._tell(summary, drifted)
        summary["drift"] = drifted.figures() if drifted is not None else None
        return (1 if counted.lost else 0), summary

    def _watch(self, said: list[str]) -> None:
        service, options = self._service, self._options
        try:
            view = View(service, self._console, self._showcase)
            went = follow(service, self._feed, view, options.burst(), self._steady)
            self._learned.set()
            self._looked.wait(LOOK_PATIENCE)
            self._outcome = _Outcome(went, self._compare())
            if options.keep and not service.stopping:
                counted = account(service.settings, service.pipeline, went.placed)
                self._console.print()
                show_account(counted, went.seconds, self._console)
                self._tell(figures(service, went, counted), self._outcome.drifted)
                show_addresses(service, options, said, self._showcase.example, self._console)
                return
        except BaseException as error:  # also if the reader of the output has gone: that is raised again
            self._error = error
        service.stopping = True

    def _steady(self) -> None:
        """Learn without adaptation beside the stream, from now on."""
        if self._other is not None:
            self._other.begin()

    def _compare(self) -> Drifted | None:
        """Compare with a learner without adaptation, in the default world."""
        if self._other is None or self._world is None:
            return None
        drifted = compare(self._kept, self._other.trace(self._console), self._world)
        self._report.more = [drifted.chart()] if drifted is not None else []
        return drifted

    def _tell(self, summary: dict[str, Any], drifted: Drifted | None) -> None:
        """Print everything that the stream showed."""
        service, console = self._service, self._console
        show_summary(service, summary, self._showcase.example, console)
        if drifted is not None:
            show(
                drifted, [line(events, notice) for events, notice in service.pipeline.reporter.story], console
            )
        console.print(joined("\nreport as a page: ", (str(self._report.path), "bold")), soft_wrap=True)
        show_next(self._options, headline(service)[0], console)
