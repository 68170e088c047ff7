"""Run a service through troubles that must not affect it: `python -m tests.soak.calm [--minutes 10] [--rate 200]`.

A real `crosscurrent run` between a real broker and a real store learns a steady stream. Beside it: a partition that
nobody writes to, transactions that are never committed, records from the far future, a nightly push of the whole
catalogue, sold-out items, a kill -9, and requests to forget, in this order. The exit code is 0 only if freshness stays
below a second for 99 of 100 events, the service stays ready, no record is lost or learned twice, and the last
checkpoint and the store hold what was sent. It starts Apache Kafka if CROSSCURRENT_KAFKA_LIBS is set, else
the embedded broker; `--kafka HOST:PORT` uses another.
`--without TROUBLE` leaves one trouble out (see `TROUBLES`), to find the cause of a failure.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from kafka import KafkaProducer

from consumers.demo.embedded_servers import Store
from consumers.erasure.command import forget_user
from tests.soak.parts import held
from tests.soak.parts.soak import Soak, options_of, tell
from tests.soak.parts.steady_feed import Partitions
from tests.soak.parts.timeline import FRESH_SECONDS, FRESH_SHARE, freshness
from tests.support.kafka.brokers import started_broker

PARTITIONS = Partitions(4, busy=2)
OPEN = 2
"""The partition of transactions that are never committed. The last partition stays empty."""
SOLD_OUT = 5_000
LEAVING = 20
FAR_FUTURE = 6
TROUBLES = ("transactions", "future", "push", "kill", "sold-out", "forget")
BEHIND_SECONDS = 60.0
"""Seconds for a start to learn the waiting events, which were not fresh and are not judged."""


class Calm(Soak):
    """A run among troubles."""

    def __init__(
        self, folder: Path, bootstrap: str, url: str, seconds: float, rate: float, troubles: Collection[str]
    ) -> None:
        """seconds: length of the stream. troubles: some of `TROUBLES`."""
        super().__init__(folder, bootstrap, url, "calm", rate, PARTITIONS)
        self.seconds, self.troubles = seconds, troubles
        self._fresh, self._learned = 0.0, 0.0
        self._unready: dict[str, int] = {}

    def run(self) -> None:
        with contextlib.ExitStack() as open_ones:
            troubles, saved = self.troubles, {}
            self.feed.push_catalogue()
            if "transactions" in troubles:  # a transaction that is open at the start
                open_ones.enter_context(self._open_transaction("movies"))
            self.start()
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
                self.start()
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

    def _catch_up(self, before: int) -> None:
        """Wait until the process has caught up. before: records that it does not see again."""
        begun = time.monotonic()

        def caught_up() -> bool:
            return self.taken() >= self.feed.records() - before - self.feed.rate

        self.soon(caught_up, BEHIND_SECONDS)  # from then on, events that are not fresh count
        self.figures["seconds_to_catch_up"] = round(time.monotonic() - begun, 1)

    def _judged(self, share: float) -> None:
        """Wait for this share of the time. Meanwhile freshness and readiness are judged."""
        within, total = freshness(self.service)
        end = time.monotonic() + share * self.seconds
        while time.monotonic() < end:
            status, why = self.service.get("/readyz")
            if status != 200:
                reason = re.sub(r"\d+", "N", why.strip())
                self._unready[reason] = self._unready.get(reason, 0) + 1
            time.sleep(min(1.0, max(0.0, end - time.monotonic())))
        more_within, more_total = freshness(self.service)
        self._fresh += more_within - within
        self._learned += more_total - total

    def _forget(self) -> None:
        """Send requests to forget, one after the other, for users without later events."""
        begun = time.monotonic()
        for user in self.feed.leave(LEAVING):
            forget_user(self.settings, user, wait=0)
        self.figures["seconds_for_requests"] = round(time.monotonic() - begun, 1)

    # What must hold at the end

    def _check(self, saved: dict[tuple[str, int], int]) -> None:
        self.check_learned(before=sum(saved.values()))
        self._freshness_verdict()
        self.verdicts["ready all the time"] = not self._unready
        self.figures["not_ready"] = self._unready
        self.verdicts["lists hold nothing sold out, nothing seen"] = self.soon(
            lambda: held.lists_are_right(self.settings, self.feed)
        )
        self.check_ended()
        self.verdicts["the last checkpoint holds the counts and seen sets of what was sent"] = (
            held.state_is_right(self.settings, self.feed)
        )

    def _freshness_verdict(self) -> None:
        share = self._fresh / self._learned if self._learned else 0.0
        self.figures["judged_for_freshness"] = int(self._learned)
        self.figures[f"fresh_within_{FRESH_SECONDS:g}_s"] = round(share, 5)
        self.verdicts[f"p99 of freshness is below {FRESH_SECONDS:g} s"] = share >= FRESH_SHARE


def run(
    folder: Path,
    bootstrap: str,
    url: str,
    minutes: float,
    rate: float,
    troubles: Collection[str] = TROUBLES,
) -> dict[str, Any]:
    """Run, and return the report: verdicts and figures."""
    soak = Calm(folder, bootstrap, url, 60 * minutes, rate, troubles)
    try:
        soak.run()
    finally:
        soak.close()
    settings = {"minutes": minutes, "rate": rate, "troubles": list(troubles)}
    return settings | soak.report()


def main() -> None:
    parser = options_of(__doc__, rate=200.0)
    parser.add_argument("--minutes", type=float, default=10.0, help="of the stream")
    parser.add_argument("--kafka", help="HOST:PORT of a broker that runs; default: one that is started")
    parser.add_argument("--without", action="append", default=[], choices=TROUBLES, metavar="TROUBLE")
    options = parser.parse_args()
    troubles = [trouble for trouble in TROUBLES if trouble not in options.without]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(Store())
        bootstrap = options.kafka or stack.enter_context(started_broker(folder)).bootstrap
        report = run(folder, bootstrap, store.url, options.minutes, options.rate, troubles)
    tell(report, options.out)


if __name__ == "__main__":
    main()
