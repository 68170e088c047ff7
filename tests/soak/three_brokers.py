"""Take brokers away under load: `python -m tests.soak.three_brokers [--rate 1000]`.

Three brokers of Apache Kafka, `min.insync.replicas = 2`, three replicas of everything. A real `crosscurrent run` learns
a steady stream of an idempotent producer with `acks=all`. In turn each broker is killed with -9 and comes back, so that
every partition loses its leader. Then the active controller is killed; a broker is paused for longer than its session;
two of three are away and come back. The exit code is 0 only if nothing was lost or doubled, /readyz told each fault
within 10 s with the broker's name, events were fresh again within 3 s of a new leader, the service was ready within
10 s, Prometheus raised the alert each time and no alert is left at the end. It needs CROSSCURRENT_KAFKA_LIBS and
prometheus.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from consumers.demo.embedded_servers import HOST, Store
from consumers.events.record import TopicPartition
from tests.soak.parts.soak import Soak, options_of, tell
from tests.soak.parts.steady_feed import Partitions
from tests.soak.parts.timeline import FRESH_SECONDS, Sample, Timeline
from tests.support.kafka.apache_kafka import ApacheBroker, ApacheKafka, started_kafka
from tests.support.kafka.quorum import Led, Quorum
from tests.support.service.scraping import Prometheus

PARTITIONS = Partitions(6, busy=6)
TOLD_SECONDS, READY_SECONDS, FRESH_AGAIN_SECONDS = 10.0, 10.0, 3.0
STEADY_SECONDS = 15.0
"""How long the stream is watched before the first fault and after each."""
PAUSED_SECONDS, TWO_AWAY_SECONDS = 25.0, 20.0
"""A broker's session lasts 9 s."""
RECOVERY_SECONDS = 90.0
LOOKING_BACK = {"FreshnessBurnFast", "FreshnessBurn", "FreshnessBudget", "CanarySlow", "DeadLetterLeft"}
"""Alerts about the last half hour to three days, which rightly stay for that time."""
SILENT_SECONDS = 360.0
"""CanaryLost looks five minutes back."""


class Fault:
    """Observations of one fault. Times are monotonic seconds."""

    def __init__(self, name: str, brokers: Sequence[ApacheBroker], before: dict[TopicPartition, Led]) -> None:
        """before: the leaders before the fault."""
        self.name, self.before = name, before
        self.brokers = brokers
        self.numbers = {broker.number for broker in brokers}
        self.begun = time.monotonic()
        self.led = 0.0
        """When Kafka's metadata showed new leaders."""
        print(f"{name} …", flush=True)

    def names(self, why: str) -> bool:
        """Return whether a reason names every broker that is away and led a partition."""
        led = {partition.leader for partition in self.before.values()}
        return all(f"broker {number} at " in why for number in self.numbers & led)


class ThreeBrokers(Soak):
    """One run."""

    def __init__(self, folder: Path, cluster: ApacheKafka, url: str, rate: float) -> None:
        super().__init__(folder, cluster.bootstrap, url, "three", rate, PARTITIONS)
        self.cluster = cluster
        self.quorum = Quorum(cluster.bootstrap, self.topics)
        self.timeline = Timeline(self.service)
        self.prometheus = Prometheus(folder / "prometheus", f"{HOST}:{self.service.port}")

    def close(self) -> None:
        self.timeline.end()
        self.quorum.close()
        self.prometheus.stop()
        super().close()

    def run(self) -> None:
        self.feed.push_catalogue()
        self.start()
        self.prometheus.start()
        self.timeline.start()
        self.feed.start()
        self._steady("before the first fault")
        for number, broker in self.cluster.brokers.items():
            self._dies(f"broker {number} killed", broker)
        controller = self.cluster.brokers[self.quorum.controller()]
        self._dies("the active controller killed", controller)
        self._paused(self.cluster.brokers[self.quorum.controller()])
        self._two_away()
        self.feed.end()
        self.check_learned()
        self._no_alert_is_left()
        self.timeline.end()
        self.check_ended()

    def _dies(self, name: str, broker: ApacheBroker) -> None:
        fault = Fault(name, [broker], self.quorum.led())
        broker.kill()
        fault.led = self.quorum.led_anew(fault.before, fault.numbers, away=fault.numbers)
        self._judge(fault)
        broker.start()
        self._recovered(name)

    def _paused(self, broker: ApacheBroker) -> None:
        fault = Fault("a broker paused", [broker], self.quorum.led())
        broker.pause()
        try:
            fault.led = self.quorum.led_anew(fault.before, fault.numbers, away=fault.numbers)
            self._judge(fault)
            time.sleep(max(0.0, fault.begun + PAUSED_SECONDS - time.monotonic()))
        finally:
            broker.go_on()
        self._recovered(fault.name)

    def _two_away(self) -> None:
        first, second, _ = self.cluster.brokers.values()
        fault = Fault("two of three away", [first, second], self.quorum.led())
        for broker in fault.brokers:
            broker.kill()
        time.sleep(TWO_AWAY_SECONDS)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(ApacheBroker.start, fault.brokers))
        fault.led = self.quorum.led_anew(fault.before, fault.numbers, away=set())
        self._judge(fault)
        self._recovered(fault.name)

    def _judge(self, fault: Fault) -> None:
        """Wait until the service has recovered, and judge its report of the fault and the time it took."""
        timeline = self.timeline
        well = self.soon(lambda: self._is_well(fault.led), RECOVERY_SECONDS)
        unready = timeline.unready(fault.begun)
        named = [sample.at for sample in unready if fault.names(sample.why)]
        acknowledged = max(self.feed.acknowledged_late, fault.led)
        figures = {
            "seconds_to_new_leaders": fault.led - fault.begun,
            "seconds_until_the_producer_caught_up_after_new_leaders": acknowledged - fault.led,
            "seconds_until_told": min(named, default=float("inf")) - fault.begun,
            "seconds_until_fresh_after_new_leaders": timeline.stale_until(fault.led) - fault.led,
            "seconds_until_ready_after_new_leaders": max([fault.led, *(sample.at for sample in unready)])
            - fault.led,
        }
        self.figures[fault.name] = {name: round(seconds, 1) for name, seconds in figures.items()}
        self.figures[fault.name]["reasons"] = _reasons(unready)
        told, fresh = figures["seconds_until_told"], figures["seconds_until_fresh_after_new_leaders"]
        ready = figures["seconds_until_ready_after_new_leaders"]
        self.verdicts[f"{fault.name}: told, with the broker's name, within {TOLD_SECONDS:g} s"] = (
            told <= TOLD_SECONDS
        )
        self.verdicts[
            f"{fault.name}: fresh ({FRESH_SECONDS:g} s) again within {FRESH_AGAIN_SECONDS:g} s of new leaders"
        ] = well and fresh <= FRESH_AGAIN_SECONDS
        self.verdicts[f"{fault.name}: ready again within {READY_SECONDS:g} s of new leaders"] = (
            well and ready <= READY_SECONDS
        )
        fired = self.prometheus.fired(time.monotonic() - fault.begun)
        self.figures[fault.name]["alerts"] = sorted(fired)
        print(json.dumps(self.figures[fault.name]), flush=True)
        self.verdicts[f"{fault.name}: the alert NotReady fired"] = "NotReady" in fired

    def _is_well(self, since: float) -> bool:
        """Return whether the service is ready and its events have been fresh for a while."""
        latest = self.timeline.samples[-1]
        calm = time.monotonic() - max(since, self.timeline.stale_until(since)) >= FRESH_AGAIN_SECONDS
        return latest.status == 200 and calm

    def _recovered(self, name: str) -> None:
        """Wait until all replicas are back, and watch the steady stream."""
        self.quorum.whole()
        self.soon(lambda: self._is_well(time.monotonic() - 2 * FRESH_AGAIN_SECONDS), RECOVERY_SECONDS)
        self._steady(f"after {name}")

    def _steady(self, when: str) -> None:
        """Watch the stream while no broker is away. A busy and healthy cluster is not called silent."""
        begun = time.monotonic()
        time.sleep(STEADY_SECONDS)
        self.verdicts[f"{when}: ready all the time"] = not self.timeline.unready(begun)
        if unready := self.timeline.unready(begun):
            self.figures[f"{when}: not ready"] = _reasons(unready)

    def _no_alert_is_left(self) -> None:
        silent = self.soon(lambda: not self.prometheus.firing() - LOOKING_BACK, SILENT_SECONDS)
        self.verdicts["no alert is left but those that look back for longer"] = silent
        self.figures["alerts_at_the_end"] = sorted(self.prometheus.firing())


def _reasons(samples: list[Sample]) -> list[str]:
    """Return each reason once, without its seconds."""
    return sorted({re.sub(r"\b\d+ s\b", "N s", sample.why) for sample in samples})


def run(folder: Path, url: str, rate: float) -> dict[str, Any]:
    """Run, and return the report: verdicts and figures. Raises NotInstalledError."""
    with started_kafka(folder, brokers=3) as cluster:
        soak = ThreeBrokers(folder, cluster, url, rate)
        try:
            soak.run()
        finally:
            soak.close()
    return {"rate": rate} | soak.report()


def main() -> None:
    options = options_of(__doc__, rate=1_000.0).parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        report = run(folder, stack.enter_context(Store()).url, options.rate)
    tell(report, options.out)


if __name__ == "__main__":
    main()
