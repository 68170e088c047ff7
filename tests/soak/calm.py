"""Run a service among troubles that must not show: `python -m tests.soak.calm [--minutes 10] [--rate 200]`.

A real `crosscurrent run` between a real broker and a real store learns a steady stream. Beside it: a partition that
nobody writes to, transactions that are never committed, records from the far future, a nightly push of the whole
catalogue, sold-out items, a kill -9, and requests to forget, in this order. The exit code is 0 only if freshness stays
below a second for 99 of 100 events, the service stays ready, no record is lost or learned twice, and the last
checkpoint and the store hold what was sent. It starts Apache Kafka if CROSSCURRENT_KAFKA_LIBS is set, else
the embedded broker; `--kafka HOST:PORT` uses another.
`--without TROUBLE` leaves one trouble out (see `TROUBLES`), to find the cause of a failure.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from kafka import KafkaProducer

from consumers.config.loader import load
from consumers.demo.embedded_servers import Store
from consumers.erasure.command import forget_user
from consumers.kafka_client.topics import create_topics
from tests.soak import held
from tests.soak.steady_feed import DOMAINS, OPEN, PARTITIONS, Feed
from tests.support.brokers import started_broker
from tests.support.running import Running, wait_for

FRESH_SECONDS, FRESH_SHARE = 1.0, 0.99
SOLD_OUT = 5_000
LEAVING = 20
FAR_FUTURE = 6
TROUBLES = ("transactions", "future", "push", "kill", "sold-out", "forget")
START_SECONDS = 300.0
"""Seconds for a start, which reads the whole catalogue first. The machine may be busy."""
BEHIND_SECONDS = 60.0
"""Seconds for a start to learn what came meanwhile. These events were not fresh, and are not judged."""


class Soak:
    """One run. `verdicts` says what held; `figures` are the measurements."""

    def __init__(
        self, folder: Path, bootstrap: str, url: str, seconds: float, rate: float, troubles: Collection[str]
    ) -> None:
        """seconds: length of the stream. rate: events a second. troubles: some of `TROUBLES`."""
        self.seconds, self.troubles = seconds, troubles
        self.prefix = f"calm{int(time.time())}"
        self.bootstrap = bootstrap
        self.verdicts: dict[str, bool] = {}
        self.figures: dict[str, Any] = {}
        self.service = Running(folder, bootstrap, url, self.prefix, DOMAINS)
        config = self.service.config
        config.write_text(config.read_text().replace("interval_seconds = 0.5", "interval_seconds = 5.0"))
        client = {"bootstrap_servers": bootstrap}
        names = [(f"{kind}.{self.prefix}.{d}", kind) for d in DOMAINS for kind in ("interactions", "items")]
        create_topics(client, names, PARTITIONS)  # type: ignore[arg-type]
        create_topics(client, [(f"{self.prefix}.dead", "interactions")], 1)
        self.feed = Feed(bootstrap, self.prefix, rate)
        self.settings = load(config)
        self._fresh, self._learned = 0.0, 0.0
        self._unready: dict[str, int] = {}

    def run(self) -> None:
        with contextlib.ExitStack() as open_ones:
            troubles, saved = self.troubles, {}
            self.feed.push_catalogue()
            if "transactions" in troubles:  # a transaction that is open at the start
                open_ones.enter_context(self._open_transaction("movies"))
            self._start()
            self.feed.start()
            self._judged(0.1)
            if "transactions" in troubles:  # and one that is begun later
                open_ones.enter_context(self._open_transaction("books"))
            self._judged(0.1)
            if "future" in troubles:
                self.feed.send_far_future(FAR_FUTURE)
            self._judged(0.1)
            if "push" in troubles:
                self.feed.push_catalogue()
            self._judged(0.2)
            if "kill" in troubles:
                self.service.kill()
                saved = held.saved_offsets(self.settings)
                self._start()
                self._catch_up(sum(saved.values()))
            self._judged(0.1)
            if "sold-out" in troubles:
                self.feed.sell_out(SOLD_OUT)
            self._judged(0.2)
            if "forget" in troubles:
                self._forget()
            self._judged(0.2)
            self.feed.end()
            self._check(saved)

    def close(self) -> None:
        self.service.kill()
        self.feed.end()

    @contextlib.contextmanager
    def _open_transaction(self, domain: str) -> Iterator[None]:
        """Send a record that no reader may see, in its own partition: later records there would wait, too."""
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap,
            transactional_id=f"{self.prefix}.{domain}",
            transaction_timeout_ms=900_000,
        )
        producer.init_transactions()
        producer.begin_transaction()
        topic = f"interactions.{self.prefix}.{domain}"
        producer.send(topic, b"never committed", b"k", partition=OPEN).get(30)
        yield
        producer.close(timeout=0)

    def _start(self) -> None:
        begun = time.monotonic()
        self.service.start()
        try:
            self.service.wait_until_ready(START_SECONDS)
        except AssertionError:
            raise AssertionError(f"not ready: {self.service.get('/readyz')}") from None
        self.figures.setdefault("seconds_to_ready", []).append(round(time.monotonic() - begun, 1))

    def _taken(self) -> int:
        """Return the number of records that this process has handled."""
        names = ("events", "duplicates", "dead_letters", "forgotten")
        counts = {name: int(self.service.metric(f"crosscurrent_{name}_total")) for name in names}
        self.figures["taken_since_the_kill"] = counts
        return sum(counts.values())

    def _catch_up(self, before: int) -> None:
        """Wait until the process has caught up. before: records that it does not see again."""
        begun = time.monotonic()

        def caught_up() -> bool:
            return self._taken() >= self.feed.records() - before - self.feed.rate

        with contextlib.suppress(AssertionError):  # from then on, events that are not fresh count
            wait_for(caught_up, BEHIND_SECONDS)
        self.figures["seconds_to_catch_up"] = round(time.monotonic() - begun, 1)

    def _judged(self, share: float) -> None:
        """Wait for this share of the time. Meanwhile freshness and readiness are judged."""
        within, total = self._freshness()
        end = time.monotonic() + share * self.seconds
        while time.monotonic() < end:
            status, why = self.service.get("/readyz")
            if status != 200:
                reason = re.sub(r"\d+", "N", why.strip())
                self._unready[reason] = self._unready.get(reason, 0) + 1
            time.sleep(min(1.0, max(0.0, end - time.monotonic())))
        more_within, more_total = self._freshness()
        self._fresh += more_within - within
        self._learned += more_total - total

    def _freshness(self) -> tuple[float, float]:
        """Return the events readable within `FRESH_SECONDS`, and all events, as the histogram counts them."""
        name = "crosscurrent_freshness_seconds"
        within = total = 0.0
        for line in self.service.get("/metrics")[1].splitlines():
            if line.startswith(f"{name}_bucket") and f'le="{FRESH_SECONDS}"' in line:
                within += float(line.rsplit(" ", 1)[1])
            elif line.startswith(f"{name}_count"):
                total += float(line.rsplit(" ", 1)[1])
        return within, total

    def _forget(self) -> None:
        """Send requests to forget, one after the other, for users without later events."""
        begun = time.monotonic()
        for user in self.feed.leave(LEAVING):
            forget_user(self.settings, user, wait=0)
        self.figures["seconds_for_requests"] = round(time.monotonic() - begun, 1)

    # What must hold at the end

    def _check(self, saved: dict[tuple[str, int], int]) -> None:
        feed, verdicts, settings = self.feed, self.verdicts, self.settings
        records = feed.records()
        before = sum(saved.values())

        def every_count() -> bool:
            return held.counts(self.settings, feed) == feed.learned

        verdicts["the broker took every record"] = not feed.refused
        verdicts["every record since the kill is learned, a duplicate, a dead letter or forgotten"] = (
            self._soon(lambda: self._taken() >= records - before) and self._taken() == records - before
        )
        self.figures["records_since_the_kill"] = records - before
        verdicts["the store holds every user's counts, and nothing of users who left"] = self._soon(
            every_count
        )
        self._freshness_verdict()
        verdicts["ready all the time"] = not self._unready
        self.figures["not_ready"] = self._unready
        verdicts["lists hold nothing sold out, nothing seen"] = self._soon(
            lambda: held.lists_are_right(self.settings, feed)
        )
        verdicts["each bad record is a dead letter, with one place"] = held.letters_are_right(
            self.settings, feed
        )
        verdicts["stops on request"] = self.service.stop() == 0
        verdicts["the last checkpoint is past every record"] = (
            sum(held.saved_offsets(settings).values()) == records
        )
        verdicts["the last checkpoint holds the counts and seen sets of what was sent"] = held.state_is_right(
            self.settings, feed
        )
        verdicts["no traceback in the log"] = "Traceback" not in self.service.log.read_text()

    def _freshness_verdict(self) -> None:
        share = self._fresh / self._learned if self._learned else 0.0
        self.figures["judged_for_freshness"] = int(self._learned)
        self.figures[f"fresh_within_{FRESH_SECONDS:g}_s"] = round(share, 5)
        self.verdicts[f"p99 of freshness is below {FRESH_SECONDS:g} s"] = share >= FRESH_SHARE

    def _soon(self, holds: Any) -> bool:
        """Return whether it becomes true: lists are written within a minute."""
        try:
            return bool(wait_for(holds, 90.0))
        except AssertionError:
            return False


def run(
    folder: Path,
    bootstrap: str,
    url: str,
    minutes: float,
    rate: float,
    troubles: Collection[str] = TROUBLES,
) -> dict[str, Any]:
    """Run, and return the report: verdicts and figures."""
    soak = Soak(folder, bootstrap, url, 60 * minutes, rate, troubles)
    try:
        soak.run()
    finally:
        soak.close()
    settings = {"minutes": minutes, "rate": rate, "troubles": list(troubles)}
    return settings | {"verdicts": soak.verdicts, "figures": soak.figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="of the stream")
    parser.add_argument("--rate", type=float, default=200.0, help="events a second")
    parser.add_argument("--kafka", help="HOST:PORT of a broker that runs; default: one that is started")
    parser.add_argument("--without", action="append", default=[], choices=TROUBLES, metavar="TROUBLE")
    parser.add_argument("--out", type=Path, help="write the report here, as JSON")
    options = parser.parse_args()
    troubles = [trouble for trouble in TROUBLES if trouble not in options.without]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(Store())
        bootstrap = options.kafka or stack.enter_context(started_broker(folder)).bootstrap
        report = run(folder, bootstrap, store.url, options.minutes, options.rate, troubles)
    for what, holds in report["verdicts"].items():
        print("yes" if holds else "NO ", what)
    print(json.dumps(report["figures"], indent=1))
    if options.out is not None:
        options.out.write_text(json.dumps(report, indent=1))
    sys.exit(0 if all(report["verdicts"].values()) else 1)


if __name__ == "__main__":
    main()
