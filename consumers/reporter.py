"""What the loop tells operators: metrics that change slowly, and the story of drifts, actions and verdicts."""

from __future__ import annotations

import time
from collections import Counter

import structlog

from consumers.config import Settings
from consumers.source import Offsets, Source
from models.arms import Arms
from models.loop import Notice
from serving.metrics import Metrics

log = structlog.get_logger()


class Reporter:
    """Copies what the arms, the source and the tables know into the metrics. One thread calls it."""

    def __init__(self, settings: Settings, metrics: Metrics, arms: Arms, source: Source) -> None:
        self.settings = settings
        self.metrics = metrics
        self.arms = arms
        self.source = source
        self.last_record_ms: dict[str, int] = {}
        """By domain: the Kafka timestamp of the newest learned record."""
        self.lost = 0
        self._evictions: Counter[str] = Counter()
        self._skipped = 0

    def tell(self, notices: list[Notice]) -> None:
        """The adaptation loop's story, as counters and log lines."""
        for notice in notices:
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

    def report(self, offsets: Offsets) -> None:
        """offsets: the next record to learn, by partition."""
        self._lag(offsets)
        metrics = self.metrics
        for domain in self.settings.domains:
            metrics.set_report(domain, self.arms.report(domain))
        metrics.set_errors(self.arms.prequential)
        metrics.set_guard(self.arms.guard)
        self._tables()
        skipped = self.arms.full.network.skipped
        metrics.skipped_updates.labels("non_finite_loss").inc(skipped - self._skipped)
        self._skipped = skipped
        lost = self.source.lost()
        metrics.lost_records.inc(lost - self.lost)
        self.lost = lost

    def _lag(self, offsets: Offsets) -> None:
        behind: Counter[str] = Counter()
        topics = self.settings.topics()
        for (topic, partition), lag in self.source.lag(offsets).items():
            self.metrics.lag_records.labels(topic, partition).set(lag)
            if topics[topic][1] == "interactions":
                behind[topics[topic][0]] += lag
        now_ms = time.time() * 1000
        for domain in self.settings.domains:
            last = self.last_record_ms.get(domain, now_ms)
            seconds = max(0.0, (now_ms - last) / 1000) if behind[domain] else 0.0
            self.metrics.lag_seconds.labels(domain).set(seconds)

    def _tables(self) -> None:
        full = self.arms.full
        tables = {"users": full.users} | {
            f"items_{name}": full.catalogues[index].ids for name, index in full.index.items()
        }
        for name, table in tables.items():
            self.metrics.table_rows.labels(name).set(len(table))
            self.metrics.table_evictions.labels(name).inc(table.evictions - self._evictions[name])
            self._evictions[name] = table.evictions
