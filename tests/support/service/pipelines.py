"""Make pipelines over a list of records. All parts but log, clocks and store are real."""

from __future__ import annotations

from collections.abc import Callable

from consumers.config.schema import Settings
from consumers.dead_letters.sink import Sink
from consumers.service.pipeline import Pipeline
from consumers.service.saving.checkpointer import Checkpointer
from consumers.service.text_encoding import Encoding
from consumers.service.wiring import Clocks, Ends, wired
from consumers.source.protocol import Source
from models.text.encoder import HashingEncoder
from serving.metrics import Metrics
from tests.support.doubles import ListSink, SyncEncoding

LATER = 1_800_000_000.0
"""Seconds since the epoch, after the events of all tests."""
STILL = Clocks(lambda: 0.0, lambda: LATER)
"""Time stands still: batches are cut by count alone."""


def list_pipeline(
    settings: Settings,
    source: Source,
    sink: Sink | None = None,
    checkpointer: Checkpointer | None = None,
    encoding: Encoding | None = None,
    clocks: Clocks = STILL,
) -> Pipeline:
    """Return a pipeline without a store, wired as in `run`."""
    ends = Ends(source, sink or ListSink(), encoding or SyncEncoding(HashingEncoder()), None, checkpointer)
    return wired(settings, ends, Metrics(), clocks)


def clocks_of(steady: Callable[[], float], wall: float = LATER) -> Clocks:
    """Return clocks; the wall clock stands still."""
    return Clocks(steady, lambda: wall)
