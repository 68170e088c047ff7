"""Run a real service with topics of its own and a steady feed, and judge it at the end; see `calm.py`."""

# ruff: noqa: T201  for scripts

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from consumers.config.loader import load
from consumers.kafka_client.topics import create_topics
from tests.soak.parts import held
from tests.soak.parts.steady_feed import DOMAINS, Feed, Partitions
from tests.support.service.running import Running, wait_for

START_SECONDS = 300.0
"""Seconds for a start, which reads the whole catalogue first. The machine may be busy."""
LIST_SECONDS = 90.0
"""Seconds to wait for writes that come within a minute."""


class Soak:
    """One run. `verdicts` says which laws held; `figures` are the measurements."""

    def __init__(
        self, folder: Path, bootstrap: str, url: str, name: str, rate: float, partitions: Partitions
    ) -> None:
        """name: begins the names of topics and keys. rate: events a second."""
        self.prefix = f"{name}{int(time.time())}"
        self.bootstrap = bootstrap
        self.verdicts: dict[str, bool] = {}
        self.figures: dict[str, Any] = {}
        self.service = Running(folder, bootstrap, url, self.prefix, DOMAINS)
        self.service.from_shell = True
        config = self.service.config
        config.write_text(config.read_text().replace("interval_seconds = 0.5", "interval_seconds = 5.0"))
        client = {"bootstrap_servers": bootstrap}
        self.topics = [f"{kind}.{self.prefix}.{d}" for d in DOMAINS for kind in ("interactions", "items")]
        names = [(topic, topic.split(".", 1)[0]) for topic in self.topics]
        create_topics(client, names, partitions.all)  # type: ignore[arg-type]
        create_topics(client, [(f"{self.prefix}.dead", "interactions")], 1)
        self.feed = Feed(bootstrap, self.prefix, rate, partitions)
        self.settings = load(config)

    def close(self) -> None:
        self.service.kill()
        self.feed.end()

    def start(self) -> None:
        """Start the service, and wait until it is ready."""
        begun = time.monotonic()
        self.service.start()
        try:
            self.service.wait_until_ready(START_SECONDS)
        except AssertionError:
            raise AssertionError(f"not ready: {self.service.get('/readyz')}") from None
        self.figures.setdefault("seconds_to_ready", []).append(round(time.monotonic() - begun, 1))

    def taken(self) -> int:
        """Return the number of records that this process has handled."""
        names = ("events", "duplicates", "dead_letters", "forgotten")
        counts = {name: int(self.service.metric(f"crosscurrent_{name}_total")) for name in names}
        self.figures["taken_since_the_start"] = counts
        return sum(counts.values())

    def check_learned(self, before: int = 0) -> None:
        """Judge what was learned and published. before: records that the process does not see again."""
        records = self.feed.records() - before
        self.figures["records_since_the_start"] = records
        self.verdicts["the brokers took every record"] = not self.feed.refused
        self.verdicts["every record since the start is learned, a duplicate, a dead letter or forgotten"] = (
            self.soon(lambda: self.taken() >= records) and self.taken() == records
        )
        self.verdicts["the store holds every user's counts, and nothing of users who left"] = self.soon(
            lambda: held.counts(self.settings, self.feed) == self.feed.learned
        )

    def check_ended(self) -> None:
        """Stop the service, and judge what it leaves."""
        verdicts, settings, feed = self.verdicts, self.settings, self.feed
        verdicts["each bad record is a dead letter, with one place"] = held.letters_are_right(settings, feed)
        verdicts["stops on request"] = self.service.stop() == 0
        verdicts["the last checkpoint is past every record"] = (
            sum(held.saved_offsets(settings).values()) == feed.records()
        )
        verdicts["no traceback in the log"] = "Traceback" not in self.service.log.read_text()

    def soon(self, holds: Any, seconds: float = LIST_SECONDS) -> bool:
        """Return whether it becomes true."""
        try:
            return bool(wait_for(holds, seconds))
        except AssertionError:
            return False

    def report(self) -> dict[str, Any]:
        return {"verdicts": self.verdicts, "figures": self.figures}


def options_of(doc: str | None, rate: float) -> argparse.ArgumentParser:
    """Make the parser of a script, with the options of every soak. rate: the default."""
    parser = argparse.ArgumentParser(description=(doc or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rate", type=float, default=rate, help="events a second")
    parser.add_argument("--out", type=Path, help="write the report here, as JSON")
    return parser


def tell(report: dict[str, Any], out: Path | None) -> NoReturn:
    """Print a report and end the script: exit code 0 if everything held."""
    for what, holds in report["verdicts"].items():
        print("yes" if holds else "NO ", what)
    print(json.dumps(report["figures"], indent=1))
    if out is not None:
        out.write_text(json.dumps(report, indent=1))
    sys.exit(0 if all(report["verdicts"].values()) else 1)
