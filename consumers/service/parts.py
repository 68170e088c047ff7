"""Name the parts that a pipeline is made of."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from consumers.dead_letters.sink import Sink
from consumers.service.canary import Canaries
from consumers.service.saving.checkpointer import Checkpointer
from consumers.service.text_encoding import Encoding
from consumers.sharing.exchange import Exchange
from consumers.source.protocol import Source
from models.arms.arm_comparison import ArmComparison
from serving.metrics import Metrics
from serving.publication.publication_queue import PublicationQueue
from serving.store.publisher import Publisher


class Parts(NamedTuple):
    """What a pipeline is made of. publisher, checkpointer, canaries: None in a pipeline without them."""

    source: Source
    sink: Sink
    arms: ArmComparison
    encoding: Encoding
    queue: PublicationQueue
    publisher: Publisher | None
    checkpointer: Checkpointer | None
    canaries: Canaries | None
    metrics: Metrics
    clock: Callable[[], float] = time.monotonic
    """Seconds of a steady clock, to find what is due."""
    wall_clock: Callable[[], float] = time.time
    """Seconds since the epoch, to compare with the times of events."""
    sharing: Exchange | None = None
    """None if there is one shard only."""
