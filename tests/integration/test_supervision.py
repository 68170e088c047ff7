"""If a thread of the running service fails unexpectedly, the service ends in order and says why."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumers.config.loader import load
from consumers.connections import connect_source, connect_store
from consumers.errors import BUG
from consumers.service.service import Service
from consumers.service.text_encoding import ThreadEncoding
from models.state.checkpoint import CheckpointDirectory
from tests.support.service.service_world import World

EVENTS = 60
PATIENCE = 40.0
"""Seconds until the test ends a service that does not end by itself."""


def fail(*_: object) -> Any:
    raise ZeroDivisionError("nobody foresaw this")


class Leaving:
    """A text encoder whose library ends the process."""

    name = "leaving"

    def encode(self, texts: list[str]) -> Any:
        raise SystemExit("no license")


class Broken:
    """A metric that cannot be counted."""

    labels = staticmethod(fail)


def break_publisher(service: Service) -> None:
    service.metrics.published = Broken()  # type: ignore[assignment]


def break_encoder(service: Service) -> None:
    service.pipeline.encoding.close()
    encoding = service.pipeline.encoding = ThreadEncoding(Leaving())
    learning = service.pipeline.learning
    learning.parts = learning.parts._replace(encoding=encoding)


BROKEN = {"publisher": (break_publisher, "ZeroDivisionError"), "encoder": (break_encoder, "SystemExit")}


@pytest.mark.parametrize("thread", list(BROKEN))
def test_a_failed_thread_ends_the_service_and_loses_nothing(world: World, thread: str) -> None:
    """The exit code is 1, the log has the traceback, and the checkpoint has everything that was learned."""
    world.fill(EVENTS)
    settings = load(world.service.config)
    service = Service(settings, connect_source(settings), connect_store(settings))
    break_, cause = BROKEN[thread]
    break_(service)
    impatient = threading.Timer(PATIENCE, lambda: setattr(service, "stopping", True))
    impatient.start()
    with capture_logs() as logs:
        code = service.run(install_signals=False)
    impatient.cancel()
    assert code == BUG
    assert service.ready() == f"the {thread} thread failed: {cause}"
    (told,) = [line for line in logs if line["log_level"] == "critical"]
    assert type(told["exc_info"].__cause__).__name__ == cause
    state, problems = CheckpointDirectory(world.service.config.parent / "checkpoints", read_only=True).load()
    assert state is not None
    assert problems == []
    saved = sum(offset for topic, _, offset in state["offsets"] if topic.startswith("interactions."))
    assert saved == service.pipeline.totals["learned"]
    if thread == "encoder":
        assert len(state["encoding"]) == service.pipeline.totals["items"] > 0
