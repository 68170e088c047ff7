"""`crosscurrent demo` as its users run it: fast at first, then steady, nothing lost, nothing left running."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from consumers.config.loader import load
from consumers.demo.options import BURST_SHARE
from consumers.errors import USAGE
from tests.support.service.running import wait_for

EVENTS = 1_500
OWN_PROCESSES = 4
"""Broker, store and producer, and the pass without adaptation, which begins after the burst."""
pytestmark = pytest.mark.timeout(300)


def line(folder: Path, *words: str) -> list[str]:
    """Return the command."""
    files = ["--report", str(folder / "report"), "--json", str(folder / "demo.json")]
    return [sys.executable, "-m", "consumers.cli", "demo", "--events", str(EVENTS), *files, *words]


def demo(folder: Path, *words: str) -> tuple[str, dict[str, Any]]:
    """Return what it printed, and its figures."""
    done = subprocess.run(line(folder, *words), capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr, json.loads((folder / "demo.json").read_text())


def test_fast_at_first_then_steady(tmp_path: Path, broker: Any, redis_store: Any) -> None:
    """Every event is accounted for; the burst has figures of its own; the page and the list are there."""
    del broker, redis_store  # both servers are installed here
    said, figures = demo(tmp_path)
    assert figures["lost"] == 0
    assert figures["learned"] == EVENTS
    assert BURST_SHARE * EVENTS <= figures["burst_events"] < EVENTS
    assert figures["burst_events_per_second"] is not None
    assert "a second; from then on:" in said
    assert "redis-cli -u redis://" in said
    assert "What transfer does for one user" in said
    assert re.search(r"u\d+ rated “.+ in (movies|books)", said)
    assert "1 " in said.split("games now recommended:")[1]
    assert "without transfer: “" in said
    for name in ("whole stream", "latest events"):
        assert re.search(rf"RMSE, {name} +\d\.\d+ +\d\.\d+ +[+-]\d", said)
    assert len(said.split("What next\n")[1].strip().splitlines()) == 3
    assert "demo --replay own.csv" in said
    assert (tmp_path / "report" / "index.html").exists()


def test_one_rate_from_first_to_last(tmp_path: Path, broker: Any, redis_store: Any) -> None:
    """The demo sends at `--rate`, and reports no burst."""
    del broker, redis_store
    said, figures = demo(tmp_path, "--rate", "1000")
    assert figures["lost"] == 0
    assert figures["learned"] == EVENTS
    assert figures["burst_events_per_second"] is None
    assert "from then on" not in said


def test_a_scenario_has_domains_and_words_of_its_own(tmp_path: Path, broker: Any, redis_store: Any) -> None:
    """Clicks only: the ranking is compared; items that appear in the stream are recommended, too."""
    del broker, redis_store
    said, figures = demo(tmp_path, "--rate", "1500", "--scenario", "news")
    assert (figures["lost"], figures["learned"]) == (0, EVENTS)
    assert (figures["target"], figures["error_metric"]) == ("podcasts", "ndcg_loss")
    assert figures["drift"] is None
    assert re.search(r"(?s)u\d+ opened “.+ in (articles|videos) \(", said)
    assert "NDCG@10, whole stream" in said
    assert "RMSE" not in said


class Kept:
    """`demo --keep` in a folder, until it says that it stays up."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, folder / "demo.toml"
        self._output = (folder / "output").open("w")
        self._process = subprocess.Popen(
            line(folder, "--keep", "--rate", "1500", "--config", str(self.config)),
            stdout=self._output, stderr=self._output,
        )  # fmt: skip

    def said(self) -> str:
        return (self.folder / "output").read_text()

    def stays_up(self) -> bool:
        assert self._process.poll() is None, self.said()
        return "dead-letters list -c" in self.said()

    def command(self, *words: str) -> str:
        """Return what another command says with the config that was written."""
        done = subprocess.run(
            [sys.executable, "-m", "consumers.cli", *words, "-c", str(self.config)],
            capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def figures(self) -> dict[str, Any]:
        """End it as a user does, with Ctrl-C; return its figures."""
        self._process.send_signal(signal.SIGINT)
        assert self._process.wait(90) == 0, self.said()
        found: dict[str, Any] = json.loads((self.folder / "demo.json").read_text())
        return found

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._output.close()


@pytest.fixture
def kept(tmp_path: Path, broker: Any, redis_store: Any) -> Iterator[Kept]:
    del broker, redis_store
    running = Kept(tmp_path)
    try:
        yield running
    finally:
        running.end()


def send(kept: Kept, user: str, events: int, at_ms: int | None = None) -> None:
    """Send own events of games, as README shows it, a record that is no event, and what the user was shown."""
    with KafkaProducer(bootstrap_servers=load(kept.config, {}).kafka.bootstrap_servers) as producer:
        for n in range(events):
            event = {"type": "rating", "user_id": user, "item_id": f"games-{n:05d}", "value": 4}
            event |= {} if at_ms is None else {"timestamp": at_ms}
            producer.send("interactions.games", json.dumps(event).encode(), user.encode())
        producer.send("interactions.games", b"no event", user.encode())
        shown = {"type": "impression", "user_id": user, "items": ["games-00001", "games-00002"]}
        shown |= {} if at_ms is None else {"timestamp": at_ms}
        producer.send("interactions.games", json.dumps(shown).encode(), user.encode())
        producer.flush()


def test_own_events_and_a_request_to_forget_beside_the_feed(kept: Kept) -> None:
    """They are counted apart and nothing is lost; every command works with the config that the demo has written."""
    wait_for(kept.config.exists)
    send(kept, "alice", 30)  # meanwhile or before: the topics are there as soon as the config is
    wait_for(kept.stays_up, 200.0)
    before = int(time.time() * 1000) - 60_000
    assert "request" in kept.command("forget", "u000001")
    send(kept, "u000001", 5, before)
    for words in (("check",), ("recommend", "-u", "alice", "-d", "games"), ("dead-letters", "list")):
        assert kept.command(*words)
    said = kept.said()
    item = re.search(r"--item (\S+) --domain games", said)
    assert item is not None
    assert "for alice: " in kept.command("explain", "--user", "alice", "--item", item[1], "--domain", "games")
    figures = kept.figures()
    assert figures["lost"] == 0
    assert figures["events_in"] == EVENTS + EVENTS // 200 + EVENTS // 500
    assert figures["events_of_others"] == 30 + 2 + 5 + 2
    assert figures["impressions"] == 2
    assert figures["forgotten"] == 5
    assert figures["learned"] == EVENTS + 30
    assert "39 of others" in kept.said()
    assert "2 impressions, 0 lost" in kept.said()
    assert "5 of forgotten users" in kept.said()
    assert not kept.config.exists()


def test_ctrl_c_in_a_terminal(tmp_path: Path, broker: Any, redis_store: Any) -> None:
    """Every process of the group gets it. The demo ends in a sentence, beside its other pass too; nothing is left."""
    del broker, redis_store
    words, out = line(tmp_path, "--events", "6000"), tmp_path / "out.txt"
    with out.open("w") as file:
        process = subprocess.Popen(words, stdout=file, stderr=file, start_new_session=True)
    wait_for(lambda: "learned" in out.read_text(), 200.0)
    wait_for(lambda: len(children(process.pid)) >= OWN_PROCESSES, 60.0, why="the other pass")
    there = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 128 + signal.SIGINT, out.read_text()
    assert "stopped before the stream ended" in out.read_text()
    assert "Traceback" not in out.read_text()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in there), 30.0, why="no process")


def children(pid: int) -> list[int]:
    """Return the processes that any thread of a process has started."""
    found = list[int]()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has ended meanwhile
            found += map(int, (task / "children").read_text().split())
    return found


def test_a_config_of_the_users_own_is_not_overwritten(tmp_path: Path) -> None:
    """Nothing is started."""
    (tmp_path / "demo.toml").write_text("[domains.movies]\n")
    words = line(tmp_path, "--keep", "--config", str(tmp_path / "demo.toml"))
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == USAGE
    assert "is not of a demo" in done.stderr
