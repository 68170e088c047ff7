"""Take in the weights that `crosscurrent network` publishes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import structlog

from consumers.errors import STATE_UNUSABLE, Stop
from models.learning.exchange.network_exchange import OtherDomainsError, take_in
from models.learning.learner import Learner
from models.network.published.packing import WeightsError
from models.state.tracked_tables import Checkpointed
from serving.shard_metrics import ShardMetrics

log = structlog.get_logger()


class ModelLog(Protocol):
    """A log of weights that keeps the newest record of each key."""

    def start(self, offset: int) -> Iterator[list[tuple[int, bytes]]]:
        """Return the records there are now from `offset` on, in parts, each with the offset after it. Raises Stop."""

    def poll(self) -> list[tuple[int, bytes]]:
        """Return the records that have come since, without waiting."""

    def check(self) -> None:
        """Raise an error once nothing can be read any more."""

    def close(self) -> None: ...


class FollowedWeights(Checkpointed):
    """The weights of a shard's network, as far as they are read. While none come, it goes on with the last ones."""

    def __init__(
        self,
        learner: Learner,
        source: ModelLog,
        topic: str,
        metrics: ShardMetrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """clock: seconds since the epoch."""
        self._learner, self._source, self._topic, self._metrics = learner, source, topic, metrics
        self._clock = clock
        self._offset = 0
        self._at = clock()
        """When the weights in use were published; before any came, when this process began."""
        self._told = False
        metrics.network_age.set_function(self.age)

    def start(self) -> None:
        """Take in all that is published. Raises Stop."""
        for records in self._source.start(self._offset):
            self._take(records)

    def step(self) -> None:
        """Take in what has come. Raises Stop."""
        self._source.check()
        self._take(self._source.poll())

    def _take(self, records: Iterable[tuple[int, bytes]]) -> None:
        for offset, value in records:
            try:
                complete = take_in(self._learner, value)
            except OtherDomainsError as error:
                if not self._told:
                    log.warning(f"{error}: run crosscurrent network with the config of the shards")
                self._told = True
            except WeightsError as error:
                raise Stop(f"topic {self._topic}: {error}", STATE_UNUSABLE) from error
            else:
                if complete is not None:
                    self._at, self._told = complete.at / 1000, False
            self._metrics.weights.labels("taken").inc(len(value))
            self._offset = offset

    def age(self) -> float:
        """Return the seconds since the weights in use were published."""
        return max(0.0, self._clock() - self._at)

    def close(self) -> None:
        self._source.close()

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {"offset": self._offset, "at": self._at}

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self._offset, self._at = int(state["offset"]), float(state["at"])
