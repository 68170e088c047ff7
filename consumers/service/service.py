"""Run the service: startup, main loop, shutdown. A signal only sets a flag; a second one quits at once."""

from __future__ import annotations

import gc
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import structlog
from prometheus_client import ProcessCollector

from consumers.config.schema import Settings
from consumers.connections import port_taken, reserve_port
from consumers.dead_letters.kafka_sink import KafkaSink
from consumers.encoding.open_encoder import open_encoder
from consumers.errors import BUG, Stop
from consumers.service.canary import Canaries
from consumers.service.first_start import compiled_code
from consumers.service.saving.checkpoint_policy import CheckpointPolicy
from consumers.service.saving.checkpointer import Checkpointer
from consumers.service.telemetry import TOLD_AT_THE_END, ReadinessLog, tell_publish_trouble
from consumers.service.text_encoding import ThreadEncoding
from consumers.service.wiring import Ends, wired
from consumers.sharing.ends import network_ends, shard_ends
from consumers.sharing.folders import checkpoint_folder
from consumers.source.kafka import KafkaSource
from models.threads import use_one_thread
from serving.contract import Keys, Write
from serving.http.health import HealthServer
from serving.metrics import Metrics
from serving.store.errors import STORE_ERRORS
from serving.store.publisher import Listeners, Publisher
from serving.store.store import Store
from serving.store.store_info import EvictionWatch, may_throw_away
from serving.worker import ThreadFailed

log = structlog.get_logger()

ALIVE_SECONDS = 30.0
READY_LAG_SECONDS = 30.0


class Service:
    """Holds everything of `crosscurrent run`. `startup` raises Stop; `run` returns the exit code.

    `source` and `store` are connected already. `consumers.connections` reports a broker or store that is away. Without
    a store it is `crosscurrent network`, which trains the network of all shards and publishes its weights. port: from
    `reserve_port`; None: it is reserved here.
    """

    def __init__(
        self, settings: Settings, source: KafkaSource, store: Store | None, port: socket.socket | None = None
    ) -> None:
        use_one_thread()
        self.settings = settings
        self._port = port or reserve_port(settings.metrics)
        self.source = source
        self.metrics = Metrics()
        ProcessCollector(registry=self.metrics.registry)
        self.stopping = False
        self._turned = time.monotonic()
        started_ts = int(time.time() * 1000)
        try:
            encoder = open_encoder(settings.text_encoder, Path(settings.checkpoint.directory))
        except ValueError as error:
            raise Stop(str(error)) from error
        network = store is None
        self.publisher = None if store is None else self._publisher(store, started_ts)
        self.checkpointer = Checkpointer(
            checkpoint_folder(settings, source.partitions, network),
            settings.checkpoint.interval_seconds,
            self._on_checkpoint,
            policy=CheckpointPolicy(whole_mb=settings.checkpoint.whole_mb),
        )
        self.canaries = self._canaries() if source.canaries else None
        self.sink = KafkaSink(settings.kafka, self.metrics.dead_letters_refused.inc)
        encoding = ThreadEncoding(encoder, self.metrics.text_encoder_failures.inc)
        self.metrics.texts_waiting.set_function(encoding.waiting)
        registry = self.metrics.registry
        self.shard = None if network else shard_ends(settings, source.partitions, registry)
        trainer = network_ends(settings, registry) if network else None
        ends = Ends(
            source, self.sink, encoding, self.publisher, self.checkpointer, self.canaries, self.shard, trainer
        )
        self.pipeline = wired(settings, ends, self.metrics, started_ts=started_ts)
        self.arms = self.pipeline.arms
        self.metrics.ready.set_function(lambda: float(self.ready() is None))
        self.metrics.checkpoint_age.set_function(self.checkpointer.age)
        self.metrics.loop_idle.set_function(self._idle)
        self._freshness = {name: self.metrics.freshness_seconds.labels(name) for name in settings.domains}
        self.freshness_ms: list[float] | None = None
        """If a list, it gets every observation: the demo's percentiles need them."""
        self.after_turn: Callable[[], object] = lambda: None
        """Called on the loop's thread after each turn. The demo looks at the learners there."""
        self.health: HealthServer | None = None
        self._readiness = ReadinessLog(self.ready)

    def _publisher(self, store: Store, started_ts: int) -> Publisher:
        watch = EvictionWatch(self.metrics.store_evicted.inc, self._on_eviction_policy)
        listeners = Listeners(self._on_written, self._on_publish_error, self._on_replaced, watch.look)
        meta = Keys(self.settings.redis.prefix, self.settings.shards.own()).meta
        return Publisher(store, meta, started_ts, listeners)

    def _canaries(self) -> Canaries:
        return Canaries(
            self.settings.kafka,
            Keys(self.settings.redis.prefix).canary,
            self.metrics,
            # Before that, a canary would wait for records that were there already.
            lambda: self.pipeline.caught_up,
        )

    def startup(self) -> None:
        """Restore the state, start the threads and the HTTP server. Raises Stop."""
        try:
            with compiled_code(lambda: self.stopping):
                self.pipeline.restore()
        except STORE_ERRORS as error:
            raise Stop(
                f"Redis stopped answering ({type(error).__name__}); start it again, then this."
            ) from error
        try:
            self.health = HealthServer(self._port, self.metrics.registry, self.alive, self.ready)
        except OSError as error:
            raise port_taken(self.settings.metrics, error) from error
        if self.source.canary_problem:
            log.warning("runs without canaries", reason=self.source.canary_problem)
        if self.canaries is not None:
            self.canaries.start()
        log.info(
            "started",
            domains=list(self.settings.domains),
            learned_before=sum(self.arms.full.learned),
            model=self.arms.full.model,
            metrics=f"http://{self.settings.metrics.host}:{self.health.port}/metrics",
        )

    def run(self, install_signals: bool = True) -> int:
        """Run until a signal. Then finish the batch, publish, save and commit. Return 0.

        An unforeseen failure of a thread ends the service too. What was learned is saved, and the exit code is 1.
        """
        if install_signals:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._on_signal)
        try:
            self.startup()
            gc.freeze()  # what is loaded stays; to look through it again and again stops the loop for .25 s
            while not self.stopping:
                self._turned = time.monotonic()
                self.pipeline.step(self._between_batches)
                self.after_turn()
                self._check_threads()
                if not self.stopping:
                    self._readiness.look()
            code = self.shutdown()
            self._check_threads()
            return code
        except ThreadFailed as failure:
            log.critical(f"{failure}; saving what was learned", exit_code=BUG, exc_info=failure)
            self._stop_early()
            return BUG
        except Stop:
            self._stop_early()
            raise
        finally:
            self._close()

    def _check_threads(self) -> None:
        """Raise ThreadFailed if a thread that the service needs has ended.

        Other threads begin again by themselves: canaries, the watch for partitions, the report. The loop itself looks
        at the result of a checkpoint write and of a search of the store.
        """
        if self.publisher is not None:
            self.publisher.check()
        self.pipeline.encoding.check()
        self.sink.check()
        if self.health is not None:
            self.health.check()

    def _between_batches(self) -> bool:
        """Show that the loop is alive in a step of many batches. Return whether to stop after this batch."""
        self._turned = time.monotonic()
        return self.stopping

    def shutdown(self) -> int:
        """Finish the batch, publish, save, commit, and close everything. Return the exit code."""
        log.info("stopping: publishing and saving")
        if not self.pipeline.finish():
            log.warning(
                "the store did not take everything; the rest is saved and published at the next start"
            )
        self.pipeline.report()
        totals = self.pipeline.totals
        log.info("stopped", **{what: totals[what] for what in TOLD_AT_THE_END})
        return 0

    def _stop_early(self) -> None:
        """Save what was learned, if possible, after a Stop from the loop. That Stop stays the reason for the end."""
        if self.health is not None:
            try:
                self.pipeline.finish()
            except Stop as second:
                log.error("could not save", error=str(second))

    def _close(self) -> None:
        if self.canaries is not None:
            self.canaries.close()
        if self.publisher is not None:
            self.publisher.close(0.0)
        self.pipeline.encoding.close()
        self.pipeline.sink.close()
        if self.pipeline.sharing is not None:
            self.pipeline.sharing.close()
        self.checkpointer.close()
        self.source.close()
        if self.health is not None:
            self.health.close()
        self._port.close()

    # Called by other threads

    def alive(self) -> str | None:
        """Return why the service is not alive; None if it is."""
        idle = self._idle()
        return f"the loop has not turned for {idle:.0f} s" if idle > ALIVE_SECONDS else None

    def _idle(self) -> float:
        return time.monotonic() - self._turned

    def ready(self) -> str | None:
        """Return why the service is not ready, causes before their effects; None if it is."""
        if self.stopping:
            return "stopping"
        try:
            self._check_threads()
        except ThreadFailed as failure:
            return str(failure)
        return (
            self.checkpointer.problem
            or (self.publisher.problem() if self.publisher is not None else None)
            or self.pipeline.log_problem
            or self.sink.problem()
            or (self.pipeline.sharing.problem() if self.pipeline.sharing is not None else None)
            or self.pipeline.intake.problem
            or self._behind()
            or self._unsaved()
        )

    def _behind(self) -> str | None:
        if not self.pipeline.caught_up:
            return "still reading what was in the log at start"
        for name, seconds in self.pipeline.reporter.lag.seconds.items():
            if seconds > READY_LAG_SECONDS:
                return f"{name} lags by {seconds:.0f} s"
        return None

    def _unsaved(self) -> str | None:
        age = self.checkpointer.age()
        limit = 3 * self.settings.checkpoint.interval_seconds + 60
        return f"no good checkpoint for {age:.0f} s" if age > limit else None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.stopping:
            os._exit(128 + number)
        self.stopping = True

    def _on_written(self, write: Write, now_ms: float) -> None:
        key = write.key.removeprefix(f"{self.settings.redis.prefix}:")
        kind = key.split(":", 1)[0] if write.kind != "delete" else "delete"
        self.metrics.published.labels(kind).inc()
        if self.canaries is not None:
            self.canaries.written(write)
        for born, domain in zip(write.record_times_ms, write.domains, strict=True):
            age_ms = max(0.0, now_ms - born)
            self._freshness[domain].observe(age_ms / 1000)
            if self.freshness_ms is not None:
                self.freshness_ms.append(age_ms)

    def _on_publish_error(self, error: Exception) -> None:
        self.metrics.publish_errors.inc()
        tell_publish_trouble(error)

    def _on_replaced(self, key: str) -> None:
        kind = key.removeprefix(f"{self.settings.redis.prefix}:").split(":", 1)[0]
        log.warning("a key of ours held a value of another type, which is replaced", kind=kind)
        log.debug("replaced", key=key)

    def _on_eviction_policy(self, policy: str) -> None:
        log.warning(may_throw_away(policy))

    def _on_checkpoint(self, offsets: dict[tuple[str, int], int], seconds: float) -> None:
        self.pipeline.saving.committed(offsets, seconds)
