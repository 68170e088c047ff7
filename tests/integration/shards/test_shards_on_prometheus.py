"""On a real Prometheus the dashboard of shards has data for each process, and a lost one fires.

The rules are those of deploy/prometheus, with `for` shortened to a second.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from consumers.demo.embedded_servers import NotInstalledError
from tests.integration.test_prometheus import queries
from tests.support.service.running import Running, wait_for
from tests.support.service.scraping import Prometheus
from tests.support.service.shards_world import START_PATIENCE, Shards

pytestmark = pytest.mark.timeout(600)
MAY_BE_EMPTY = {
    "Restart": "the processes did not restart",
    "Verdict": "marks a verdict of the last minute only",
    "Drift": "marks a drift of the last minute only",
}


class Watched:
    """Two shards, the process that trains their network, and a Prometheus that watches all."""

    def __init__(self, shards: Shards, network: Running, prometheus: Prometheus) -> None:
        self.shards, self.network, self.prometheus = shards, network, prometheus

    def value(self, expr: str) -> float:
        """Return the one number of a query; NaN if it has none."""
        found = self.prometheus.query(expr)
        return float(found[0]["value"][1]) if found else float("nan")


@pytest.fixture
def watched(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    one_bootstrap: str,
    topic_prefix: str,
    missing: Callable[[object], NoReturn],
) -> Iterator[Watched]:
    url = request.getfixturevalue("redis_store").url
    shards = Shards(tmp_path, one_bootstrap, url, topic_prefix, 2)
    try:
        network = shards.network()
        network.start()
        shards.send(60)
        shards.start()
        network.wait_until_ready(START_PATIENCE)
        targets = [f"127.0.0.1:{one.port}" for one in (*shards.shards, network)]
        with Prometheus(tmp_path / "prometheus", *targets) as prometheus:
            yield Watched(shards, network, prometheus)
    except NotInstalledError as error:
        missing(error)
    finally:
        shards.close()


def test_every_panel_of_shards_has_data_and_a_lost_shard_fires(watched: Watched) -> None:
    shards, prometheus = watched.shards, watched.prometheus
    wait_for(lambda: watched.value("count(crosscurrent_shard_info)") == 3, why="all are scraped")
    shards.send(60, wrong=True)
    shards.send(240)
    shards.wait_until_counted()
    wait_for(
        lambda: (
            watched.value("sum(rate(crosscurrent_rerouted_total[1m]))") > 0
            and watched.value('min(rate(crosscurrent_facts_total{direction="folded"}[1m]))') > 0
        ),
        why="the events are scraped",
    )
    board = queries("shards")
    empty = [
        (title, expr)
        for title, expr in board
        if title not in MAY_BE_EMPTY
        and not [one for one in prometheus.query(expr) if one["value"][1] != "NaN"]
    ]
    assert empty == []
    by_title = dict(board)
    for title in ("Ready", "Facts taken in", "Processor"):
        wait_for(
            lambda title=title: (
                {one["metric"].get("index") for one in prometheus.query(by_title[title])}
                == {"0", "1", "network"}
            ),
            why=f"{title} of each process",
        )
    missing = by_title["Shards missing"]
    assert watched.value(missing) == 0
    assert "ShardMissing" not in prometheus.firing()

    shards.shards[1].kill()
    wait_for(lambda: {"ShardMissing", "Down"} <= prometheus.firing(), 60, "a lost shard fires")
    assert watched.value(missing) == 1
    shards.shards[1].start()
    wait_for(lambda: "ShardMissing" not in prometheus.firing(), START_PATIENCE, "it is over")
    text = json.dumps(prometheus.get("/api/v1/rules"))
    assert '"health": "err"' not in text
