"""The commands of closed loops as a user calls them: worlds in worker processes, and a real service that is driven."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.kafka_client.topics import create_topics
from consumers.simulator.closed_loop.settings import DOMAINS
from serving.client import Reader
from tests.support.service.running import Running

pytestmark = pytest.mark.timeout(600)  # processes that load torch, on a machine that may be busy
ROLES = {"movies": "source", "books": "source", "games": "target"}


def crosscurrent(*words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "consumers.cli", *words]
    return subprocess.run(line, capture_output=True, text=True, timeout=500, check=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("evaluate", "--scenario", "sudden", "--world", "mute"), "--world and --lists need --scenario"),
        (("evaluate", "--scenario", "closed-loop", "--world", "loud"), "'loud' is not one of 'mute', 'text', 'news'"),
        (("evaluate", "--scenario", "closed-loop", "--plot", "p.png"), "--scenario closed-loop has no --plot"),
        (("evaluate", "--scenario", "closed-loop", "--items", "i.csv"), "leave out --items"),
        (("simulate", "--closed-loop", "--config", "c.toml"), "--closed-loop needs --world, one of mute, text, news"),
        (("simulate", "--closed-loop", "--config", "c.toml", "--world", "w.toml"), "needs --world, one of mute, text"),
        (("simulate", "--closed-loop", "--world", "mute", "--out", "f"), "takes --config, --create-topics, --world"),
        (("simulate", "--closed-loop", "--world", "mute", "--events", "9"), "takes --config, --create-topics, --world"),
        (("simulate", "--out", "f", "--impressions", "9"), "--impressions needs --closed-loop"),
    ],
)  # fmt: skip
def test_wrong_options_are_named(words: tuple[str, ...], said: str) -> None:
    """The command ends with exit code 2 and says what to do, without a traceback."""
    done = crosscurrent(*words)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_the_help_has_examples() -> None:
    """Each command shows an example of its closed loop to copy."""
    assert (
        "evaluate --scenario closed-loop --world mute --seeds 2" in crosscurrent("evaluate", "--help").stdout
    )
    assert "--closed-loop --world mute --impressions 5000" in crosscurrent("simulate", "--help").stdout


def test_policies_are_compared_in_a_short_run(tmp_path: Path) -> None:
    """Two seeds of one world: the table, what was run, and the figures of three policies beside the greedy one."""
    out = tmp_path / "loop.json"
    done = crosscurrent(
        "evaluate", "--scenario", "closed-loop", "--world", "text", "--seeds", "2", "--lists", "600",
        "--json", str(out),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (
        "closed loop: 2 seeds from 0, 600 impressions after 240 shared greedy ones; explore = 1"
        in done.stdout
    )
    for word in (
        "text",
        "greedy",
        "explore",
        "informed",
        "to greedy",
        "short of informed",
        "last fifth",
        "Gini",
    ):
        assert word in done.stdout
    figures = json.loads(out.read_text())
    assert (figures["impressions"], figures["before"], figures["explore"]) == (600, 240, 1)
    policies = figures["worlds"]["text"]
    assert list(policies) == ["greedy", "explore", "informed"]
    for policy in policies.values():
        assert len(policy["clicks"]["seeds"]) == 2
        assert 0 < policy["clicks"]["mean"] < 6000
        assert policy["regret"]["mean"] > 0
    assert policies["informed"]["shortfall"]["seeds"] == [0, 0]
    assert policies["greedy"]["to_greedy"]["regret"] == {"mean": 1, "sd": 0, "seeds": [1, 1]}
    assert policies["informed"]["to_greedy"]["clicks"]["mean"] > 1


@pytest.fixture
def service(tmp_path: Path, one_bootstrap: str, redis_store: object, topic_prefix: str) -> Iterator[Running]:
    """A service with the domains of closed-loop worlds, without topics yet."""
    url = str(redis_store.url)  # type: ignore[attr-defined]
    made = Running(
        tmp_path, one_bootstrap, url, topic_prefix, {name: {"role": ROLES[name]} for name in DOMAINS}
    )
    create_topics({"bootstrap_servers": one_bootstrap}, [(f"{topic_prefix}.dead", "interactions")], 1)
    kinds = [
        (f"{kind}.{topic_prefix}.{name}", kind) for name in DOMAINS for kind in ("interactions", "items")
    ]
    create_topics({"bootstrap_servers": one_bootstrap}, kinds, 2)  # type: ignore[arg-type]
    yield made
    made.kill()


def test_a_running_service_is_driven(
    service: Running, tmp_path: Path, redis_store: object, topic_prefix: str
) -> None:
    """Users see the lists of the real store; the service takes every impression and click, and refuses none."""
    out = tmp_path / "loop.json"
    service.start()
    service.wait_until_ready()
    done = crosscurrent(
        "simulate", "--config", str(service.config), "--closed-loop", "--world", "mute", "--impressions", "400",
        "--rate", "100", "--json", str(out),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    assert figures["impressions"] + figures["empty_lists"] == 400
    assert figures["empty_lists"] == 0
    assert figures["items"] == 3000
    assert 0 < figures["clicks"] < 1000
    assert f"mute: 400 impressions, {figures['clicks']:,} clicks" in done.stdout
    assert figures["seconds"] > 400 / 100 - 1
    kept = 'crosscurrent_impressions_total{domain="%s",outcome="kept"}'
    answered = 'crosscurrent_impression_clicks_total{domain="%s",outcome="answered"}'

    def count(name: str) -> int:
        return int(sum(service.metric(name % domain) for domain in DOMAINS))

    service.wait_for(
        lambda: count(kept) + count(kept.replace("kept", "out_of_order")) == 400, why="impressions"
    )
    service.wait_for(lambda: count(answered) == figures["clicks"], why="clicks that answer them")
    assert service.metric("crosscurrent_dead_letters_total") == 0
    with Reader(str(redis_store.url), topic_prefix) as reader:  # type: ignore[attr-defined]
        found = reader.recommend("u000001", "movies", 10)
        assert {item.id[:7] for item in found.items} == {"movies-"}
        assert found.published_ts is not None
        assert found.age_seconds is not None


def test_a_service_that_does_not_run_is_told_apart(service: Running) -> None:
    """Nothing publishes lists: the command says so and ends with 2. It waits for two minutes, or less if it is told."""
    from consumers.config.loader import load_for_all
    from consumers.errors import Stop
    from consumers.simulator.closed_loop.live import LiveOptions, drive
    from consumers.simulator.closed_loop.settings import LoopSettings

    world = LoopSettings("news", users=10, items=20, impressions=50, before=0)
    with pytest.raises(
        Stop, match="no list of movies after 1 s: is crosscurrent run running with this config"
    ):
        drive(LiveOptions(world, patience=1.0), load_for_all(service.config))
