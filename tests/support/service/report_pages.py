"""Feed a recorder with made-up metrics of some minutes, for tests of the report."""

from __future__ import annotations

import math
import random
from collections import deque

from consumers.config.schema import DomainConfig, Settings
from consumers.report.metric_history import MetricHistory
from models.adaptation.adaptation_loop import Notice
from serving.metrics import Metrics

SETTINGS = Settings(
    domains={
        "movies": DomainConfig(role="source"),
        "books": DomainConfig(role="source"),
        "games": DomainConfig(role="target"),
    }
)


class Made:
    """`pass_by(seconds)` moves the clock and the metrics, and the recorder looks at them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.metrics = Metrics()
        self.story: deque[tuple[int, Notice]] = deque(maxlen=100)
        self.recorder = MetricHistory(self.metrics, self.story, every=2.0, clock=lambda: self.now)

    def pass_by(self, seconds: float) -> None:
        end = self.now + seconds
        random.seed(1)
        while self.now < end:
            self.now += 2.0
            bump = 0.5 * math.exp(-(self.now - 180) / 60) if self.now > 180 else 0.0
            for name in SETTINGS.domains:
                self.metrics.events.labels(name, "rating").inc(60 if name != "games" else 20)
                for _ in range(20):
                    self.metrics.freshness_seconds.labels(name).observe(random.lognormvariate(-3.2, 0.7))
                self.metrics.lag_seconds.labels(name).set(abs(random.gauss(0, 0.2)))
                for arm, base in (("full", 0.82), ("target_only", 0.95), ("followed", 0.82)):
                    error = base + 0.4 * math.exp(-self.now / 40) + (bump if name == "games" else 0.0)
                    self.metrics.error.labels(name, "rmse", arm).set(error + random.gauss(0, 0.005))
                    self.metrics.error.labels(name, "ndcg_loss", arm).set(0.9 - 0.05 * (arm == "full"))
            self.metrics.canary_seconds.observe(random.lognormvariate(-2.8, 0.3))
            if self.now == 190:
                self.drift()
            elif self.now in (230, 300):
                self.verdict(self.now == 230)
            self.recorder.tick()

    def drift(self) -> None:
        self.metrics.drift.labels("games", "bias").inc()
        self.story.append((900, Notice("games", "bias", score=0.9)))
        self.story.append((900, Notice("games", "raise_rate", started=True)))

    def verdict(self, good: bool) -> None:
        if good:
            self.story.append((980, Notice("games", "raise_rate", "promoted", 0.12, 80)))
        else:
            self.story.append((1400, Notice("games", "reset_domain", "dropped", -0.01, 420)))
