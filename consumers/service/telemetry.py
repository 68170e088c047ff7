"""Tell operators what the loop does: slowly changing metrics, and notices of drifts, actions and verdicts."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import get_args

import numpy as np
import structlog

from consumers.config.schema import Settings
from consumers.events.record import Offsets, Record
from consumers.events.rejection import Reason
from consumers.service.lag import Lag, LagWatch
from consumers.service.stages.shown_stage import POSITIONS
from consumers.source.protocol import Source
from models.adaptation.actions import Action
from models.adaptation.adaptation_loop import Notice
from models.adaptation.drift_detectors import Detector
from models.arms.arm_comparison import ArmComparison
from models.arms.hits import TOPS
from models.assessment.paired_test import Outcome
from models.experiments.experiment import DEFAULT
from models.learning.impressions import Outcome as Answered
from models.learning.impressions import Taken
from models.learning.shown.list_maker import MORE
from models.settings import ARMS
from models.transfer.strategies import STRATEGIES
from serving.metrics import Metrics
from serving.store.errors import Behaviour, behaviour, refusal

log = structlog.get_logger()

TOLD_AT_THE_END = (
    "learned",
    "duplicates",
    "forgotten",
    "impressions",
    "dead_letters",
    "deleted_rows",
    "rerouted",
)
"""What becomes of records of interactions, as the log's last line counts it: each is one of these."""
READY_SECONDS = 1.0
PUBLISH_TROUBLE: dict[Behaviour, str] = {
    "reconnect": "store unavailable, will write again",
    "refused": "the store refuses a write, will write again",
    "leave_out": "a value cannot be encoded for the store; its key keeps the older value",
}


def tell_publish_trouble(error: Exception) -> None:
    """Tell the log of an error of the store, with the reason if it refuses this user."""
    reason = {} if (why := refusal(error)) is None else {"reason": why}
    log.warning(PUBLISH_TROUBLE[behaviour(error)], error=type(error).__name__, **reason)


class ReadinessLog:
    """Tells the log when the service turns ready, or not ready any more. One thread calls it. clock: seconds."""

    def __init__(self, ready: Callable[[], str | None], clock: Callable[[], float] = time.monotonic) -> None:
        """ready: returns why the service is not ready; None if it is."""
        self._ready, self._clock = ready, clock
        self._was = False
        self._since = self._looked = clock()

    def look(self) -> None:
        """Compare with the last look, about once a second."""
        now = self._clock()
        if now - self._looked < READY_SECONDS:
            return
        self._looked = now
        reason = self._ready()
        if (reason is None) != self._was:
            self._was = reason is None
            passed, self._since = round(now - self._since), now
            if reason is None:
                log.info("ready", not_ready_seconds=passed)
            else:
                log.warning("not ready", reason=reason)


def line(events: int, notice: Notice) -> str:
    """Write a notice in words."""
    at = f"{notice.domain} at its event {events:,}:"
    if notice.started:
        return f"{at} trying {notice.event} beside the champion"
    if notice.outcome is None:
        return f"{at} drift seen by {notice.event} (shift {notice.score:+.2f})"
    return (
        f"{at} {notice.event} {notice.outcome} after {notice.events:,} events (gain {notice.score:+.3f} each)"
    )


class Reporter:
    """Copies what arms, source and tables know into the metrics. One thread calls it.

    `lag`: the latest measurement, which any thread may read.
    """

    def __init__(self, settings: Settings, metrics: Metrics, arms: ArmComparison, source: Source) -> None:
        self.settings = settings
        self.metrics = metrics
        self.arms = arms
        self.source = source
        self.lag = Lag()
        self._lag_watch = LagWatch(settings.topics())
        self.story: deque[tuple[int, Notice]] = deque(maxlen=100)
        """The latest notices, with the domain's events learned before each."""
        self.lost = 0
        self._curve_told = False
        self._evictions: Counter[str] = Counter()
        self._skipped = 0
        self._hits = arms.hits.counts
        """What was added to the metrics so far."""
        self._challengers: set[tuple[str, str]] = set()
        self._from_zero()

    def _from_zero(self) -> None:
        """Create all counters with value 0: Prometheus sees no increase when a counter first appears with 1."""
        metrics = self.metrics
        metrics.dead_letters.labels("", "unknown_domain")
        metrics.skipped_updates.labels("non_finite_loss")
        actions = [*get_args(Action), *(f"strategy_{name}" for name in STRATEGIES)]
        for domain in self.settings.domains:
            metrics.duplicates.labels(domain)
            metrics.forgotten.labels(domain)
            metrics.deleted_rows.labels(domain)
            for kind in ("click", "rating", *self.settings.events):
                metrics.events.labels(domain, kind)
            for reason in get_args(Reason):
                metrics.dead_letters.labels(domain, reason)
            self._shown_from_zero(domain)
            for arm in ARMS:
                metrics.ranked_events.labels(domain, arm)
                for top in TOPS:
                    metrics.hits.labels(domain, arm, top)
            for detector in get_args(Detector):
                metrics.drift.labels(domain, detector)
            for action in actions:
                for outcome in get_args(Outcome):
                    metrics.actions.labels(domain, action, outcome)

    def _shown_from_zero(self, domain: str) -> None:
        metrics = self.metrics
        for taken in (*get_args(Taken), "duplicate"):
            metrics.impressions.labels(domain, taken)
        for answered in get_args(Answered):
            metrics.impression_clicks.labels(domain, answered)
        for position in POSITIONS:
            metrics.position_shows.labels(domain, position)
            metrics.position_clicks.labels(domain, position)
        metrics.impressions_clicked.labels(domain)
        experiments = self.arms.full.experiments.experiments
        policies = [one.policy(arm) for one in experiments if domain in one.domains for arm in one.arms]
        for policy in (DEFAULT, *policies):
            metrics.policy_impressions.labels(domain, policy)
            metrics.policy_clicks.labels(domain, policy)
            metrics.listed_events.labels(domain, policy)
            for top in TOPS:
                metrics.list_hits.labels(domain, policy, top)
        for counter in (
            metrics.clicks_below,
            metrics.drawn_places,
            metrics.explored_places,
            metrics.new_item_shows,
        ):
            counter.labels(domain)

    def tell(self, notices: list[Notice]) -> None:
        """Report notices of the adaptation loop as counters and log lines."""
        for notice in notices:
            self.story.append((self.arms.full.learned[self.arms.full.index[notice.domain]], notice))
            if notice.started:
                log.info("adaptation begun", domain=notice.domain, action=notice.event)
            elif notice.outcome is None:
                self.metrics.drift.labels(notice.domain, notice.event).inc()
                self.metrics.drift_score.labels(notice.domain, notice.event).set(notice.score)
                log.info(
                    "drift detected",
                    domain=notice.domain,
                    detector=notice.event,
                    shift=round(notice.score, 4),
                )
            else:
                self.metrics.actions.labels(notice.domain, notice.event, notice.outcome).inc()
                log.info(
                    f"adaptation {notice.outcome}",
                    domain=notice.domain,
                    action=notice.event,
                    gain=round(notice.score, 5),
                    events=notice.events,
                )

    def report(self, offsets: Offsets, read: Iterable[Record] = ()) -> None:
        """Update all gauges and counters.

        offsets: the next record to learn, by partition. read: records that are read and not learned yet.
        """
        self._lag(offsets, read)
        metrics = self.metrics
        for domain in self.settings.domains:
            metrics.set_report(domain, self.arms.report(domain))
        metrics.set_errors(self.arms.prequential)
        metrics.set_guard(self.arms.selector)
        self._tables()
        self._count_hits()
        self._challenged()
        skipped = self.arms.full.network.skipped
        metrics.skipped_updates.labels("non_finite_loss").inc(skipped - self._skipped)
        self._skipped = skipped
        metrics.kafka_silent.set(self.source.silent_seconds())
        for name, weight in self.arms.full.ranker.event_weights.report().items():
            # It is the exponential of a logarithm: 3 would be 3.0000000000000004.
            metrics.event_weight.labels(name).set(round(weight, 6))
        self._shown()
        lost = self.source.lost()
        metrics.lost_records.inc(lost - self.lost)
        self.lost = lost

    def _lag(self, offsets: Offsets, read: Iterable[Record]) -> None:
        waiting = [*read, *self.source.waiting()]
        self.lag = self._lag_watch.look(self.source.lag(offsets), offsets, waiting)
        for (topic, partition), records in self.lag.records.items():
            self.metrics.lag_records.labels(topic, partition).set(records)
        for domain, seconds in self.lag.seconds.items():
            self.metrics.lag_seconds.labels(domain).set(seconds)

    def _shown(self) -> None:
        """Show what impressions teach; say once if they cannot tell how often each place is looked at."""
        shown = self.arms.full.shown
        for domain, number in self.arms.full.index.items():
            for term, share in zip(MORE, shown.clicks.shares(number), strict=True):
                self.metrics.shown_share.labels(domain, term).set(share)
        self.metrics.examination_clicks.set(shown.examination.clicks)
        if not self._curve_told and not shown.exploration.explore and shown.clicks.impressions.any():
            self._curve_told = True
            log.info(
                "how often each place is looked at is taken as 1 / rank^0.7: only drawn lists can tell it"
            )

    def _tables(self) -> None:
        full = self.arms.full
        tables = {"users": full.users} | {
            f"items_{name}": full.catalogues[index].ids for name, index in full.index.items()
        }
        for name, table in tables.items():
            self.metrics.table_rows.labels(name).set(len(table))
            self.metrics.table_capacity.labels(name).set(table.capacity)
            self.metrics.table_evictions.labels(name).inc(table.evictions - self._evictions[name])
            self._evictions[name] = table.evictions

    def _count_hits(self) -> None:
        counts = self.arms.hits.counts
        more = counts - self._hits
        for domain, arm, top in np.argwhere(more).tolist():
            labels, new = (self.arms.full.domains[domain].name, ARMS[arm]), int(more[domain, arm, top])
            if top:
                self.metrics.hits.labels(*labels, TOPS[top - 1]).inc(new)
            else:
                self.metrics.ranked_events.labels(*labels).inc(new)
        self._hits = counts

    def _challenged(self) -> None:
        """Set a gauge for each running challenger; remove it when the challenger ends."""
        loop = self.arms.loop
        running = {} if loop is None else {(key[0], c.action): c for key, c in loop.running.items()}
        for over in self._challengers - set(running):
            self.metrics.challenger_events.remove(*over)
        for (domain, action), challenger in running.items():
            self.metrics.challenger_events.labels(domain, action).set(challenger.test.count)
        self._challengers = set(running)
