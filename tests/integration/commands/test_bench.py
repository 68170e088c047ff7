"""`crosscurrent bench`: every row at a tiny size, with real broker, store and service; and a contestant that fails."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from kafka import KafkaAdminClient

from consumers.bench.parts.stream import INTERACTIONS, ITEMS, world
from consumers.bench.parts.task import Task
from consumers.bench.run.brokers import EMBEDDED, Brokers
from consumers.bench.run.figure import Figure
from consumers.bench.run.plan import Plan
from consumers.bench.run.rows import NAMES, Rows
from consumers.bench.run.runner import ContestantFailed, Runner
from consumers.demo.embedded_servers import HOST, NotInstalledError, Store
from consumers.simulator.event_stream import Simulator
from consumers.simulator.output import write_files
from tests.support.kafka.apache_kafka import Address
from tests.support.log.registry import SchemaRegistry
from tests.support.service.running import wait_for

EVENTS = 600
CONTESTANTS = {
    "learner": {"learner"},
    "threads": {"learner"},
    "drain": {"filling.fill_topics", "peers.bare_poll", "drain"},
    "avro": {"filling.fill_topics", "drain"},
    "biased_mf": {"peers.biased_mf"},
    "freshness": {"freshness"},
    "shown": {"freshness"},
    "lists": {"freshness"},
    "read": {"read", "peers.bare_get"},
    "growth": {"growth"},
    "memory": {"memory"},
    "facts": {"facts"},
    "shards": {"filling.fill_topics", "shards", "facts"},
    "restart": {"filling.write_checkpoint", "peers.read_bytes", "restart"},
}
MAY_BE_NEGATIVE = {"growth"}
"""Rows whose figures may be below 0: exponents of tables that are all small."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Return a plan with a set of 600 events."""
    folder = tmp_path_factory.mktemp("sets") / "small"
    write_files(Simulator(world(EVENTS, 40, 60)), folder)
    return Plan(
        sets=(("small", str(folder)),),
        events=EVENTS,
        learn_seconds=2.0,
        drain_seconds=20.0,
        fresh_seconds=3.0,
        rate=40.0,
        list_rate=40.0,
        fresh_users=100,
        fresh_items=100,
        read_seconds=0.1,
        growth_events=80,
        growth_seconds=1.0,
        growth_users=((200, 200), (400, 200)),
        growth_items=((200, 200), (200, 400)),
        memory_events=300,
        shards=(1, 2),
        shard_events=EVENTS,
        restart_users=300,
        restart_items=300,
    )


@pytest.fixture(scope="module")
def runner() -> Runner:
    return Runner(lambda _: None)


@pytest.fixture(scope="module")
def rows(tiny: Plan, runner: Runner, missing: Callable[[object], NoReturn]) -> Rows:
    try:
        Store().command()
    except NotInstalledError as error:
        missing(error)
    return Rows(runner, tiny, Brokers())


@pytest.mark.parametrize("name", [name for name in NAMES if name != "avro"])
def test_a_row(name: str, rows: Rows, runner: Runner) -> None:
    """The contestants of a row answer, and every figure is a plausible number."""
    can_be_true(name, rows, runner)


def can_be_true(name: str, rows: Rows, runner: Runner) -> None:
    figures: list[Figure] = rows.all()[name]()
    assert figures
    for figure in figures:
        assert figure.row == name
        assert figure.value is not None
        assert math.isfinite(figure.value)
        assert figure.value > 0 or name in MAY_BE_NEGATIVE
    assert {ran.contestant for ran in runner.ran} >= CONTESTANTS[name]


@pytest.fixture(scope="module")
def on_apache(tiny: Plan, apache: Address, registry: SchemaRegistry) -> tuple[Rows, Runner]:
    """Rows on a broker that runs already, with a schema registry."""
    runner, brokers = Runner(lambda _: None), Brokers(apache.bootstrap)
    assert brokers.name.startswith("Apache Kafka 4.")
    return Rows(runner, tiny, brokers, registry.url), runner


@pytest.mark.parametrize("name", ["drain", "avro", "freshness"])
def test_a_row_on_a_broker_that_runs(name: str, on_apache: tuple[Rows, Runner], apache: Address) -> None:
    """The rows are as on the embedded broker, and no topic is left there."""
    can_be_true(name, *on_apache)
    with KafkaAdminClient(bootstrap_servers=apache.bootstrap) as admin:

        def left() -> list[str]:
            return [topic for topic in admin.list_topics() if "bench" in topic]

        wait_for(lambda: not left(), why="its topics are deleted")


def command(*words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "consumers.cli", "bench", *words]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_a_broker_that_does_not_answer() -> None:
    """A silent broker ends the command with exit code 2 before anything is measured."""
    done = command("drain", "--quick", "--kafka", f"{HOST}:1")
    assert done.returncode == 2
    assert f"--kafka: Kafka at {HOST}:1 cannot be reached" in done.stderr


def test_avro_needs_a_registry() -> None:
    """Without a registry the command fails at once and names the option."""
    done = command("avro", "--quick")
    assert done.returncode == 2
    assert "--registry" in done.stderr


def test_a_contestant_that_fails_names_itself() -> None:
    """The message ends like the contestant's own output."""
    with pytest.raises(ContestantFailed, match=r"learner: exit code 1: [\s\S]*nowhere") as caught:
        Runner(lambda _: None).run("learner", Task(data="/nowhere"))
    assert caught.value.contestant == "learner"


def test_the_command_says_who_failed_and_goes_on(tmp_path: Path) -> None:
    """The exit code is 1, the other row is measured, and the file has both."""
    for name in (INTERACTIONS, ITEMS):
        (tmp_path / name).write_bytes(b"no gzip")
    out = tmp_path / "bench.json"
    words = ["biased_mf", "read", "learner", "--quick", "--data", str(tmp_path), "--json", str(out)]
    done = command(*words)
    assert done.returncode == 1, done.stderr
    assert "learner: failed" in done.stdout
    report = json.loads(out.read_text())
    assert {failed["row"]: failed["contestant"] for failed in report["failed"]} == {
        "learner": "learner",
        "biased_mf": "filling.fill_topics",
    }
    assert [figure["row"] for figure in report["rows"]] == ["read"]
    assert report["machine"]["cores"] >= 1
    assert report["broker"] == EMBEDDED
    assert f"broker: {EMBEDDED}" in done.stdout
    assert set(report["versions"]) >= {
        "python",
        "numpy",
        "numba",
        "torch",
        "river",
        "kafka-python",
        "redis server",
    }


def test_a_plot_needs_its_row() -> None:
    """The command fails before anything is measured."""
    done = command("read", "--quick", "--plot", "growth.svg")
    assert done.returncode == 2
    assert "growth" in done.stderr
