"""On a real Prometheus every panel has data, and alerts fire when something breaks.

The rules are those of deploy/prometheus, with `for` shortened to a second (windows and limits as they are), scraped and
evaluated each second. `promtool` tests the real durations: tests/unit/test_prometheus_rules.py.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from consumers.demo.embedded_servers import NotInstalledError, Server, Store
from tests.support.service.running import wait_for
from tests.support.service.scraping import Prometheus
from tests.support.service.service_world import World

DASHBOARDS = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"
VARIABLES = {"$job": "crosscurrent", "$domain": ".*", "$stage": ".*", "$__rate_interval": "1m"}
MAY_BE_EMPTY = {
    "How unevenly items are shown": "it needs 10,000 shows",
    "Exploration": "lists are not drawn by default",
    "Challengers at work: events judged so far": "no challenger may run just now",
    "What types of events count as, in clicks": "the config has no types of its own",
    "Restart": "the process did not restart",
    "Verdict": "marks a verdict of the last minute only",
    "Drift": "marks a drift of the last minute only",
    "Verdicts": "bars of the last minute's verdicts",
}
"""Panels and annotations without data in a healthy service, and why."""


class Scene:
    """Start a service under load with a store of its own, and a Prometheus that watches it."""

    def __init__(self, world: World, store: Server, prometheus: Prometheus) -> None:
        self.world, self.store, self.prometheus = world, store, prometheus
        self.sent = 0
        self.random = random.Random(0)

    def rate(self, count: int, shift: float = 0.0, age_seconds: float = 0.0) -> None:
        """Send ratings in both domains, at most 300 ahead of the learned ones."""
        at = None if not age_seconds else int((time.time() - age_seconds) * 1000)
        for _ in range(count):
            domain = "books" if self.sent % 10 else "movies"
            user, item = self.random.randrange(400), self.random.randrange(20)
            value = min(max(3.8 + 0.05 * (item - 10) + self.random.gauss(0, 0.3) - shift, 1), 5)
            event = {"type": "rating", "user_id": f"u{user}", "item_id": f"{domain[0]}{item}", "value": value}
            self.world.producer.send(
                f"interactions.{self.world.prefix}.{domain}",
                key=f"u{user}".encode(),
                value=json.dumps(event).encode(),
                timestamp_ms=at,
            )
            self.sent += 1
        self.world.producer.flush()

    def shown(self, user: str) -> None:
        """Show a user ten books, of which the user clicks two."""
        impression = {"type": "impression", "user_id": user, "items": [f"b{n}" for n in range(10)]}
        clicks = [{"type": "click", "user_id": user, "item_id": item} for item in ("b3", "b5")]
        for value in (impression, *clicks):
            self.world.raw("books", user, json.dumps(value).encode())
        self.sent += len(clicks)

    def learned(self) -> None:
        wait_for(lambda: self.world.learned() >= self.sent, why=f"{self.sent} learned")

    def fires(self, *alerts: str) -> None:
        try:
            wait_for(lambda: set(alerts) <= self.prometheus.firing(), seconds=40)
        except AssertionError as error:
            raise AssertionError(f"{alerts}, but these fire: {self.prometheus.firing()}") from error

    def is_over(self, *alerts: str) -> None:
        wait_for(lambda: not set(alerts) & self.prometheus.firing(), seconds=40, why=f"end of {alerts}")


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory, one_bootstrap: str, missing: Callable[[object], NoReturn]
) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    try:
        with Store() as store:
            world = World(folder, one_bootstrap, store.url, f"t{os.getpid()}-prometheus")
            world.service.start()
            try:
                world.service.wait_until_ready()
                with Prometheus(folder / "prometheus", f"127.0.0.1:{world.service.port}") as prometheus:
                    yield Scene(world, store, prometheus)
            finally:
                world.close()
    except NotInstalledError as error:
        missing(error)


def queries(name: str) -> list[tuple[str, str]]:
    """Return (title, PromQL) of every query of a dashboard, as Grafana would send it."""
    board = json.loads((DASHBOARDS / f"{name}.json").read_text())
    found = [(p["title"], t["expr"]) for p in board["panels"] for t in p.get("targets", ())]
    found += [(a["name"], a["expr"]) for a in board["annotations"]["list"]]
    for variable, value in VARIABLES.items():
        found = [(title, expr.replace(variable, value)) for title, expr in found]
    return found


def test_every_panel_has_data_and_every_query_parses(scene: Scene) -> None:
    """A service under load with a drift and a few bad records fills every panel; what may be empty is named here."""
    wait_for(lambda: scene.prometheus.query("crosscurrent_ready"), why="a first scrape")
    scene.world.fill(60)
    scene.sent = 60
    for _ in range(6):
        scene.rate(200)
        scene.learned()
    for n in range(4):
        scene.rate(100, shift=2.0)
        scene.shown(f"shown{n}")
        scene.world.raw("movies", "bad", b"{oops")
        scene.learned()
    wait_for(lambda: scene.prometheus.query("crosscurrent_dead_letters_total > 3"), why="all scraped")
    wait_for(lambda: scene.prometheus.query("crosscurrent_source_weight"), why="a network step reported")
    wait_for(lambda: scene.prometheus.query("crosscurrent:transfer_gain:ratio"), why="the rules evaluated")
    assert not {"Down", "NotReady", "LoopStuck", "StoreUnreachable"} & scene.prometheus.firing()
    empty, seen = [], {}
    for board in ("overview", "learning", "drift", "pipeline"):
        for title, expr in queries(board):
            found = scene.prometheus.query(expr)
            numbers = [s["value"][1] for s in found if s["value"][1] != "NaN"]
            seen[f"{board} | {title} | {expr}"] = f"{len(found)} series: {numbers[:3]}"
            if not numbers and title not in MAY_BE_EMPTY:
                empty.append((board, title, expr))
    if os.environ.get("SHOW_PANELS"):
        Path(os.environ["SHOW_PANELS"]).write_text("\n".join(f"{k} -> {v}" for k, v in seen.items()))
    assert not empty


def test_bad_records_fire(scene: Scene) -> None:
    """A producer whose records are one tenth invalid pages, and leaves a ticket."""
    for _ in range(60):
        scene.world.raw("movies", "bad", b"{oops")
    scene.rate(200)
    scene.fires("DeadLetters", "DeadLetterLeft")


def test_a_store_that_is_away_fires(scene: Scene) -> None:
    """Without its store the service is not ready and its writes fail; with the store it recovers."""
    scene.store.stop()
    scene.rate(50)
    scene.fires("StoreUnreachable", "NotReady")
    scene.store.start()
    scene.learned()
    scene.is_over("StoreUnreachable", "NotReady")


def test_a_consumer_that_stops_fires_and_late_events_burn_the_budget(scene: Scene) -> None:
    """A frozen process counts as down. Afterwards it lags, and late events use up the budget.

    The events bear Kafka timestamps of two hours ago, so that nothing has to wait for minutes.
    """
    process = scene.world.service.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        scene.rate(30_000, age_seconds=7200)  # enough that learning them takes several scrapes
        scene.fires("Down")
    finally:
        process.send_signal(signal.SIGCONT)
    scene.fires("Lag", "FreshnessBurnFast", "FreshnessBurn")
    scene.learned()
    scene.is_over("Down", "Lag")


def test_alerts_are_known_to_prometheus(scene: Scene) -> None:
    """Every rule is loaded and evaluates without an error."""
    groups: Any = scene.prometheus.get("/api/v1/rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == 50
    assert not [rule["name"] for rule in rules if rule["health"] != "ok"]
