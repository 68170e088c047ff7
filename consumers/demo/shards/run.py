"""Run `crosscurrent demo --shards N`: several processes that are one service; one is killed and comes back."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from rich.console import Console

from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.demo.addresses import Ports, as_toml, config_of, from_environment, servers
from consumers.demo.feed.producer import PacedFeed
from consumers.demo.feed.worlds import about, domains_of, world_of
from consumers.demo.options import DemoOptions
from consumers.demo.shards.course import Course, Parts
from consumers.demo.shards.limits import check_shards, free_memory, partitions_for
from consumers.demo.shards.member import Member, Place
from consumers.demo.shards.sightings import StoreWatch
from consumers.demo.shards.summary import figures, show
from consumers.demo.summary import show_up
from consumers.errors import Stop
from consumers.kafka_client.client import client_options
from consumers.kafka_client.topics import create_topics
from consumers.sharing.topics import create_shard_topics
from consumers.terminal import log
from consumers.terminal.compiling import compile_first
from consumers.terminal.plain_text import plain
from consumers.terminal.recommendations import show_recommendations
from serving.client import Reader
from serving.client.connection import connect


def run_shards_demo(options: DemoOptions, console: Console | None = None) -> tuple[int, dict[str, Any]]:
    """Run everything. Return (exit code, summary); the code is 1 if anything was lost or counts twice. Raises Stop."""
    check_shards(options.shards, free_memory())
    console = console or log.console()
    world = world_of(options)
    console.print(plain(about(options), "bold"))
    domains = domains_of(options, world, console)
    compile_first(console)
    for line in from_environment(os.environ, several=True)[1]:
        console.print(plain(line, "yellow"), soft_wrap=True)
    with (
        _stopped_by_signals(),
        servers(Ports()) as (broker, store),
        tempfile.TemporaryDirectory(prefix="crosscurrent-demo-") as name,
        contextlib.ExitStack() as stack,
    ):
        show_up(broker.bootstrap, store.url, console)
        folder, target = Path(name), list(domains)[-1]
        target = next((name for name, keys in domains.items() if keys["role"] == "target"), target)
        config = config_of(broker, store, Ports(), folder / "checkpoints", domains)
        prepared = _prepare(config, options.shards, folder)
        feed = PacedFeed(broker.bootstrap, options, list(domains), world, folder / "sent")
        stack.callback(feed.stop)
        members = [Member(place) for place in prepared.places]
        for member in members:
            stack.callback(member.kill)
        client = stack.enter_context(contextlib.closing(connect(store.url)))
        watch = StoreWatch(client, list(domains))
        feed.wait_for_items()
        parts = Parts(prepared.settings, members, feed, watch, folder / "sent", target)
        told, waiter = Course(parts, options, console).run()
        show(told, console)
        if waiter is not None:
            console.print(plain(f"\nThe list of one of shard {told.outage.shard}'s users", "bold"))
            with Reader(store.url) as reader:
                show_recommendations(reader, waiter, target, 3, console)
        return (0 if told.right else 1), figures(told)


class _Prepared(NamedTuple):
    """Settings of all processes, and how each is started."""

    settings: Settings
    places: list[Place]


def _prepare(config: dict[str, Any], shards: int, folder: Path) -> _Prepared:
    """Write the config that all processes read, and create the topics."""
    path = folder / "crosscurrent.toml"
    path.write_text(as_toml(config | {"shards": {"count": shards}}), encoding="utf-8")
    settings = build(config | {"shards": {"count": shards, "index": 0}})
    client = client_options(settings.kafka)
    create_topics(client, settings.topic_kinds(), partitions_for(shards))
    create_topics(client, [(settings.kafka.dead_letter_topic, "interactions")], 1)
    create_shard_topics(client, settings)
    names = [*range(shards), None]
    places = [Place(path, n, folder / ("network.log" if n is None else f"shard-{n}.log")) for n in names]
    return _Prepared(settings, places)


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the demo in order, so that its processes and its folder go, too."""

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        raise Stop("stopped before the stream ended", 128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
